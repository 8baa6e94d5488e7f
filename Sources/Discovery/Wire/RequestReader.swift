package import DiscoveryCore

/// Turns requests into the inputs of a node.
///
/// One per loop: it keeps what it decodes into between requests, so that renewals, fetches and
/// polls of the usual size allocate nothing. Its parts lie in the files named after the requests.
package struct RequestReader {
    let settings: WireSettings
    var fields = Fields()
    /// Scratch of the list that is being read.
    var items: [ByteRange] = []
    var order: [Int] = []
    private let form = FormReader()

    var limits: WireLimits { settings.limits }

    package init(settings: WireSettings = WireSettings()) { self.settings = settings }

    /// Appends one input for the request, or throws and leaves the batch as it was.
    ///
    /// A GET's body and content type are not looked at. On a POST query and body are merged,
    /// because kratos v2 and v3 send everything in the query: of a scalar the first value that is
    /// not empty counts, body before query. An exchange is its body alone, whatever its type.
    /// `holdHeader` is the value of `x1-bmspy-timeout`.
    package mutating func read(
        route: Route, id: RequestID, query: Span<UInt8>, body: Span<UInt8>,
        contentType: Span<UInt8>?, holdHeader: Span<UInt8>?, into batch: inout Batch
    ) throws(Rejection) -> ReadOutcome {
        fields.removeAll()
        if route != .exchange {
            if route.isPost, !body.isEmpty { try readBody(body, contentType) }
            try form.read(query, into: &fields, limits: limits)
        }
        let byteCount = batch.bytes.count
        let targetCount = batch.pollTargets.count
        do {
            return ReadOutcome(shape: try append(route, id, body, holdHeader, to: &batch))
        } catch {
            batch.bytes.removeLast(batch.bytes.count - byteCount)
            batch.pollTargets.removeLast(batch.pollTargets.count - targetCount)
            throw error
        }
    }

    private mutating func readBody(
        _ body: Span<UInt8>, _ contentType: Span<UInt8>?
    ) throws(Rejection) {
        let type = if let contentType { BodyType.of(contentType) } else { BodyType.form }
        switch type {
        case .form: try form.read(body, into: &fields, limits: limits)
        case .json: try JSONReader.readBody(body, into: &fields, limits: limits)
        case .refused(let rejection): throw rejection
        }
    }

    private mutating func append(
        _ route: Route, _ id: RequestID, _ body: Span<UInt8>, _ holdHeader: Span<UInt8>?,
        to batch: inout Batch
    ) throws(Rejection) -> InstancesShape {
        switch route {
        case .register: batch.inputs.append(.registered(id, try registration()))
        case .renew: batch.inputs.append(.renewed(id, try renewal(&batch)))
        case .cancel: batch.inputs.append(.cancelled(id, try cancellation(&batch)))
        case .set: batch.inputs.append(.set(id, try setting()))
        case .fetch:
            batch.inputs.append(.fetched(id, try fetch(&batch)))
            return requestedShape
        case .fetchs:
            batch.inputs.append(.fetchedMany(id, try fetchMany(&batch)))
            return requestedShape
        case .fetchAll: batch.inputs.append(.fetchedAll(id))
        case .poll: batch.inputs.append(.polled(id, try poll(holdHeader, &batch)))
        case .polls: batch.inputs.append(.polled(id, try polls(holdHeader, &batch)))
        case .balance: batch.inputs.append(.balanced(id, try balance(&batch)))
        case .nodes: batch.inputs.append(.askedForNodes(id))
        case .exchange:
            batch.inputs.append(.exchanged(id, try ExchangeReader.exchange(body, limits)))
        }
        return .byZone
    }

    /// `format=array`, which users of brpc add through its unescaped flags.
    private var requestedShape: InstancesShape {
        let format = fields.bytes.span.extracting(fields.first(.format).bounds)
        return format.holds("array") ? .array : settings.shape
    }

    /// Copies a value into the batch.
    func copy(_ range: ByteRange, to batch: inout Batch) -> ByteRange {
        let start = batch.bytes.count
        batch.bytes.append(contentsOf: fields.bytes[range.bounds])
        return ByteRange(start: start, count: Int(range.count))
    }

    /// Packs fields of at most 255 bytes each, as `PackedKey` lays them out.
    @inline(__always)
    func pack<let count: Int>(
        _ ranges: InlineArray<count, ByteRange>, to batch: inout Batch
    ) -> ByteRange {
        let start = batch.bytes.count
        let source = fields.bytes.span
        batch.bytes.append(addingCapacity: count &* (1 + PackedKey.fieldBytesMax)) { out in
            for index in 0..<count {
                let field = source.extracting(ranges[index].bounds)
                out.append(UInt8(truncatingIfNeeded: field.count))
                out.write(field)
            }
        }
        return ByteRange(start: start, count: batch.bytes.count - start)
    }

    func array(_ range: ByteRange) -> [UInt8] { Array(fields.bytes[range.bounds]) }
}

extension Span<UInt8> {
    func holds(_ text: String) -> Bool {
        let other = text.utf8.span
        if count != other.count { return false }
        for index in 0..<count where self[index] != other[index] { return false }
        return true
    }
}
