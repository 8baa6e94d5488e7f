import Testing

@testable import DiscoveryCore
@testable import DiscoveryWire

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

/// One request as a client sends it.
struct Request {
    var route: Route
    var query: [UInt8] = []
    var body: [UInt8] = []
    var type: String?
    var hold: String?

    init(
        _ route: Route, query: String = "", body: String = "", type: String? = nil,
        hold: String? = nil
    ) {
        self.route = route
        self.query = bytes(query)
        self.body = bytes(body)
        self.type = type
        self.hold = hold
    }

    /// Sent as the form body of a POST or the query of a GET.
    static func plain(_ route: Route, _ form: String) -> Request {
        route.isPost
            ? Request(route, body: form, type: "application/x-www-form-urlencoded")
            : Request(route, query: form)
    }
}

/// What a request was read as.
struct Reading {
    var batch: Batch
    var outcome: ReadOutcome
    var input: Input? { batch.inputs.last }

    var registration: Registration? {
        if case .registered(_, let value) = input { value } else { nil }
    }
    var renewal: Renewal? { if case .renewed(_, let value) = input { value } else { nil } }
    var cancellation: Cancellation? {
        if case .cancelled(_, let value) = input { value } else { nil }
    }
    var setting: Setting? { if case .set(_, let value) = input { value } else { nil } }
    var fetch: Fetch? { if case .fetched(_, let value) = input { value } else { nil } }
    var fetchMany: FetchMany? { if case .fetchedMany(_, let value) = input { value } else { nil } }
    var poll: Poll? { if case .polled(_, let value) = input { value } else { nil } }

    /// The fields of a packed key, joined by spaces.
    func fields(_ range: ByteRange) -> String { packedFields(Array(batch.bytes[range.range])) }

    /// `env appid@latest` of each application asked for.
    func targets(_ first: Int, _ count: Int) -> [String] {
        batch.pollTargets[first..<first + count].map { "\(fields($0.app))@\($0.latest)" }
    }
}

func packedFields(_ packed: [UInt8]) -> String {
    var fields: [String] = []
    var index = 0
    while index < packed.count {
        let end = index + 1 + Int(packed[index])
        fields.append(text(packed[index + 1..<end]))
        index = end
    }
    return fields.joined(separator: " ")
}

extension RequestReader {
    mutating func read(_ request: Request) throws(Rejection) -> Reading {
        var batch = Batch()
        let outcome: ReadOutcome
        let type = bytes(request.type ?? "")
        let hold = bytes(request.hold ?? "")
        outcome = try read(
            route: request.route, id: RequestID(7), query: request.query.span,
            body: request.body.span, contentType: request.type == nil ? nil : type.span,
            holdHeader: request.hold == nil ? nil : hold.span, into: &batch)
        return Reading(batch: batch, outcome: outcome)
    }
}

func read(_ request: Request) throws(Rejection) -> Reading {
    var reader = RequestReader()
    return try reader.read(request)
}

/// The message a request is refused with; nil if it is taken.
func refusal(_ request: Request) -> String? {
    do {
        _ = try read(request)
        return nil
    } catch {
        return error.message
    }
}

func entry(_ key: String, _ value: String) -> InstanceContent.Entry {
    InstanceContent.Entry(key: bytes(key), value: bytes(value))
}

struct Sample {
    var env = "dev"
    var appid = "a.b"
    var zone = "sh001"
    var hostname = "h1"
    var region = "sh"
    var version = "1"
    var addrs = ["http://1.1.1.1:80", "grpc://1.1.1.1:90"]
    var metadata = [("w", "10")]
    var status = InstanceStatus.up
    var stamp: Int64 = 1_700_000_000_123_456_789

    func instance() throws -> Instance {
        let key = try #require(
            InstanceKey(
                env: bytes(env), appid: bytes(appid), zone: bytes(zone), hostname: bytes(hostname)))
        let content = try #require(
            InstanceContent(
                region: bytes(region), version: bytes(version), addrs: addrs.map { bytes($0) },
                metadata: metadata.map { entry($0.0, $0.1) }))
        return Instance(
            key: key, content: content, status: status, registered: stamp, up: stamp, dirty: stamp,
            latest: stamp)
    }

    func row() throws -> RegistryView.Row {
        RegistryView.Row(instance: try instance(), renewed: stamp)
    }
}

func appKey(_ env: String, _ appid: String) throws -> AppKey {
    try #require(AppKey(env: bytes(env), appid: bytes(appid)))
}

func view(
    _ appid: String = "a.b", latest: Int64 = 1_700_000_000_123_456_789,
    zones: [(String, [RegistryView.Row])], env: String? = nil, schedule: ZoneSchedule? = nil
) throws -> AppView {
    AppView(
        app: try appKey("dev", appid), latest: latest,
        zones: zones.map { AppView.Zone(name: bytes($0.0), rows: $0.1) },
        env: env.map { bytes($0) }, schedule: schedule, filter: nil, statuses: 1, made: 0)
}

func answerText(_ answer: Answer, shape: InstancesShape = .byZone) -> String {
    var out: [UInt8] = []
    AnswerWriter.append(answer, shape: shape, to: &out)
    return text(out)
}
