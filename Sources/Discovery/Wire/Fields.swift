import DiscoveryCore

/// The parameters of one request, decoded, in the order that decides: body before query.
///
/// Filled by `FormReader` and `JSONReader`, and used again for the next request, so that a request
/// of the usual size allocates nothing.
struct Fields {
    struct Pair {
        var name: FieldName
        var value: ByteRange
        /// Known to be valid UTF-8.
        var isValid: Bool
    }

    /// The values, valid UTF-8, one after the other. Every value is a range of it.
    var bytes: [UInt8] = []
    /// Known names only.
    var pairs: [Pair] = []
    /// Query and body together, unknown names included.
    var pairCount = 0
    /// By `FieldName.index`: the first value that is not empty.
    private var firsts = [ByteRange](repeating: .empty, count: FieldName.count)

    /// Kept between requests; more is given back, so that one huge request does not stay in memory.
    private static let bytesKept = 1 << 18

    mutating func removeAll() {
        if bytes.capacity > Fields.bytesKept { bytes = [] }
        bytes.removeAll(keepingCapacity: true)
        pairs.removeAll(keepingCapacity: true)
        pairCount = 0
        for index in firsts.indices { firsts[index] = .empty }
    }

    /// Repairs the values of the pairs from `start` on and finds the first of each name.
    mutating func settle(from start: Int) {
        for index in start..<pairs.count {
            if !pairs[index].isValid { repair(index) }
            let field = pairs[index].name.index
            if firsts[field].isEmpty { firsts[field] = pairs[index].value }
        }
    }

    mutating func append(_ name: FieldName, _ value: String) {
        let start = bytes.count
        bytes.append(contentsOf: value.utf8)
        let range = ByteRange(start: start, count: bytes.count - start)
        pairs.append(Pair(name: name, value: range, isValid: true))
    }

    /// The first value that is not empty; else empty.
    @inline(__always)
    func first(_ name: FieldName) -> ByteRange { firsts[name.index] }

    private mutating func repair(_ index: Int) {
        let range = pairs[index].value.bounds
        guard let repaired = UTF8Repair.repaired(bytes.span.extracting(range)) else { return }
        pairs[index].value = ByteRange(start: bytes.count, count: repaired.count)
        bytes.append(contentsOf: repaired)
    }
}

extension Fields {
    /// Whether it is true as Go parses it; everything else is false, without an error.
    func flag(_ name: FieldName) -> Bool {
        let range = first(name).bounds
        let value = bytes.span.extracting(range)
        switch value.count {
        case 1: return value[0] == 0x31 || value[0] | 0x20 == UInt8(ascii: "t")
        case 4:
            // true, True, TRUE.
            let isUpper = value[1] == UInt8(ascii: "R")
            let tail: (UInt8, UInt8, UInt8) = isUpper ? (0x52, 0x55, 0x45) : (0x72, 0x75, 0x65)
            let isHead = value[0] == 0x54 || (value[0] == 0x74 && !isUpper)
            return isHead && value[1] == tail.0 && value[2] == tail.1 && value[3] == tail.2
        default: return false
        }
    }

    /// Who wrote: `replication=true` is a node of this zone, else `from_zone=true` one of another.
    var origin: Origin {
        if flag(.replication) { return .peer }
        return flag(.fromZone) ? .zone : .client
    }

    /// A whole number; 0 if there is none.
    func number(_ name: FieldName) throws(Rejection) -> Int64 {
        try number(name, at: first(name))
    }

    func number(_ name: FieldName, at range: ByteRange) throws(Rejection) -> Int64 {
        let text = bytes.span.extracting(range.bounds)
        switch WholeNumber.read(text) {
        case .value(let value): return value
        case .malformed:
            throw Rejection("\(name.text) must be a whole number, got \(Message.quote(text))")
        case .outOfRange:
            throw Rejection("\(name.text) is out of range, got \(Message.quote(text))")
        }
    }

    /// A version given by another node; 0 if it gives none. Negative ones are none.
    func version(_ name: FieldName) throws(Rejection) -> Int64 { max(0, try number(name)) }

    /// A field of a key that must be there.
    func required(_ name: FieldName, _ limits: WireLimits) throws(Rejection) -> ByteRange {
        let range = first(name)
        if range.isEmpty { throw Rejection(name.missing) }
        try check(name, range, bytesMax: limits.keyBytesMax)
        return range
    }

    /// A field of a key that may be missing: then it is empty.
    func optional(_ name: FieldName, _ limits: WireLimits) throws(Rejection) -> ByteRange {
        let range = first(name)
        try check(name, range, bytesMax: limits.keyBytesMax)
        return range
    }

    /// Names go to logs, file names and header lines, so control characters are kept out.
    func check(_ name: FieldName, _ range: ByteRange, bytesMax: Int) throws(Rejection) {
        try checkLength(name, range, bytesMax: bytesMax)
        let value = bytes.span.extracting(range.bounds)
        // Without a branch per byte, so that the loop is vectorized.
        var marks: UInt8 = 0
        for index in 0..<value.count {
            marks |= value[index] < 0x20 ? 1 : 0
            marks |= value[index] == 0x7F ? 1 : 0
        }
        if marks != 0 { throw Rejection("\(name.text) must not contain control characters") }
    }

    func checkLength(_ name: FieldName, _ range: ByteRange, bytesMax: Int) throws(Rejection) {
        guard range.count <= bytesMax else {
            throw Rejection("\(name.text) may have at most \(bytesMax) bytes, got \(range.count)")
        }
    }

    /// The values of a list, repeated or joined by commas, into `items`; empty ones are dropped.
    /// Gives how many values they were sent as.
    @discardableResult
    func list(
        _ name: FieldName, into items: inout [ByteRange], countMax: Int
    ) throws(Rejection) -> Int {
        items.removeAll(keepingCapacity: true)
        var valueCount = 0
        var found = 0
        for pair in pairs where pair.name == name && !pair.value.isEmpty {
            valueCount += 1
            var start = pair.value.bounds.lowerBound
            let end = pair.value.bounds.upperBound
            for index in start...end where index == end || bytes[index] == UInt8(ascii: ",") {
                if index > start {
                    found += 1
                    if found <= countMax {
                        items.append(ByteRange(start: start, count: index - start))
                    }
                }
                start = index + 1
            }
        }
        guard found <= countMax else {
            throw Rejection("\(name.text) may be given at most \(countMax) times, got \(found)")
        }
        return valueCount
    }
}
