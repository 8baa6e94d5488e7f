import DiscoveryCore

/// A node with its own clock, driven one input at a time. Checks its invariants after every step.
final class TestNode {
    var node: Node
    var now: Moment
    private(set) var notes: [Note] = []
    /// Answers that nobody has taken yet.
    private(set) var answers: [RequestID: Answer] = [:]
    private var nextID: UInt64 = 1

    static let start = Moment(wall: 1_700_000_000_000_000_000, monotonic: 5 * Duration.hour)

    /// Calls that nobody has carried out yet.
    private var calls: [PeerCall] = []
    private var hasJoined = false

    init(
        id: UInt64 = 1, at now: Moment = TestNode.start,
        _ change: (inout NodeSettings) -> Void = { _ in }
    ) {
        var settings = NodeSettings()
        change(&settings)
        self.now = now
        node = Node(settings: settings, id: NodeID(id), seed: 41 + id, now: now)
    }

    var targets: [String] { node.targets }
    var isSelfPreserving: Bool { node.isSelfPreserving }

    /// Sends one input built by `make` and returns its request.
    @discardableResult
    func send(_ make: (RequestID, inout Batch) -> Input) -> RequestID {
        let id = RequestID(nextID)
        nextID += 1
        var batch = Batch()
        batch.inputs.append(make(id, &batch))
        step(batch)
        return id
    }

    func step(_ batch: Batch) {
        var effects: [Effect] = []
        node.step(batch, at: now, effects: &effects)
        for effect in effects {
            switch effect {
            case .answer(let id, let answer):
                precondition(answers[id] == nil, "request \(id.rawValue) was answered twice")
                answers[id] = answer
            case .note(let note): notes.append(note)
            case .call(let call): calls.append(call)
            case .joined: hasJoined = true
            }
        }
        node.checkInvariants()
    }

    func takeCalls() -> [PeerCall] {
        defer { calls = [] }
        return calls
    }

    func takeJoined() -> Bool {
        defer { hasJoined = false }
        return hasJoined
    }

    func announce(_ address: String) {
        var batch = Batch()
        batch.inputs.append(.announced(address: address))
        step(batch)
    }

    func tick() {
        var batch = Batch()
        batch.inputs.append(.ticked)
        step(batch)
    }

    /// Lets time pass, calling the node at each of its deadlines on the way.
    func wait(_ duration: Int64) {
        let end = now.monotonic + duration
        while let due = node.nextDeadline, due <= end {
            let to = max(due, now.monotonic)
            now.wall += to - now.monotonic
            now.monotonic = to
            tick()
        }
        now.wall += end - now.monotonic
        now.monotonic = end
    }

    func take(_ id: RequestID) -> Answer? {
        defer { answers[id] = nil }
        return answers[id]
    }

    // MARK: Commands

    func register(
        _ host: String, app: String = "a.b", env: String = "dev", zone: String = "sh001",
        status: InstanceStatus = .up, addrs: [String] = ["http://1.1.1.1:80"],
        version: String = "1", metadata: [(String, String)] = [], origin: Origin = .client,
        dirty: Int64 = 0
    ) -> Answer? {
        let registration = Registration(
            key: key(host, app: app, env: env, zone: zone),
            content: content(addrs: addrs, version: version, metadata: metadata), status: status,
            origin: origin, dirty: dirty)
        return take(send { id, _ in .registered(id, registration) })
    }

    func renew(
        _ host: String, app: String = "a.b", env: String = "dev", zone: String = "sh001",
        origin: Origin = .client, dirty: Int64 = 0
    ) -> Answer? {
        let packed = key(host, app: app, env: env, zone: zone).packed
        return take(
            send { id, batch in
                let key = append(packed, to: &batch)
                return .renewed(id, Renewal(key: key, origin: origin, dirty: dirty))
            })
    }

    func cancel(
        _ host: String, app: String = "a.b", env: String = "dev", zone: String = "sh001",
        origin: Origin = .client, dirty: Int64 = 0
    ) -> Answer? {
        let packed = key(host, app: app, env: env, zone: zone).packed
        return take(
            send { id, batch in
                let key = append(packed, to: &batch)
                return .cancelled(id, Cancellation(key: key, origin: origin, dirty: dirty))
            })
    }

    func set(_ changes: [Setting.Change], origin: Origin = .client, dirty: Int64 = 0)
        -> Answer?
    {
        let setting = Setting(changes: changes, origin: origin, dirty: dirty)
        return take(send { id, _ in .set(id, setting) })
    }

    func fetch(
        app: String = "a.b", env: String = "dev", zone: String = "", statuses: UInt8 = 1
    ) -> Answer? {
        let packed = appKey(app, env: env).packed
        return take(
            send { id, batch in
                let key = append(packed, to: &batch)
                let zone = append(Array(zone.utf8), to: &batch)
                return .fetched(id, Fetch(app: key, zone: zone, statuses: statuses))
            })
    }

    func balance(app: String = "a.b", env: String = "dev", zone: String) -> Answer? {
        let packed = appKey(app, env: env).packed
        return take(
            send { id, batch in
                let key = append(packed, to: &batch)
                return .balanced(id, Balance(app: key, zone: append(Array(zone.utf8), to: &batch)))
            })
    }

    /// Nil: no schedule any more.
    func schedule(_ app: String, env: String = "dev", _ rules: [ZoneSchedule.Rule]?) {
        let schedule = rules.map { ZoneSchedule(rules: $0) { _ in [] } }
        var batch = Batch()
        batch.inputs.append(
            .scheduled([Scheduled(app: appKey(app, env: env), schedule: schedule)]))
        step(batch)
        wait(10 * Duration.millisecond)
    }

    /// Polls and returns the request; its answer is there at once, or later.
    func poll(
        _ apps: [(String, Int64)], env: String = "dev", zone: String = "",
        hold: Int64 = 30 * Duration.second, isSingle: Bool = false, wantsAll: Bool = false
    ) -> RequestID {
        send { id, batch in
            let first = batch.pollTargets.count
            for (app, latest) in apps {
                let key = append(appKey(app, env: env).packed, to: &batch)
                batch.pollTargets.append(PollTarget(app: key, latest: latest))
            }
            let zone = append(Array(zone.utf8), to: &batch)
            return .polled(
                id,
                Poll(
                    first: first, count: apps.count, zone: zone, hold: hold, isSingle: isSingle,
                    wantsAll: wantsAll))
        }
    }

    func hangUp(peer address: String) {
        var batch = Batch()
        batch.inputs.append(.peerHungUp(address))
        step(batch)
    }

    func hangUp(_ id: RequestID) {
        var batch = Batch()
        batch.inputs.append(.clientLeft(id))
        step(batch)
    }

    /// What a fetch of all statuses gives: host names in order, with their status.
    func hosts(app: String = "a.b", env: String = "dev", zone: String = "") -> [String] {
        guard case .fetched(let view)? = fetch(app: app, env: env, zone: zone, statuses: 3) else {
            return []
        }
        return view.hosts
    }
}

func append(_ bytes: [UInt8], to batch: inout Batch) -> ByteRange {
    let range = ByteRange(start: batch.bytes.count, count: bytes.count)
    batch.bytes += bytes
    return range
}

func key(
    _ host: String, app: String = "a.b", env: String = "dev", zone: String = "sh001"
) -> InstanceKey {
    guard
        let key = InstanceKey(
            env: Array(env.utf8), appid: Array(app.utf8), zone: Array(zone.utf8),
            hostname: Array(host.utf8))
    else { preconditionFailure("a test key is too long") }
    return key
}

func appKey(_ app: String, env: String = "dev") -> AppKey {
    guard let key = AppKey(env: Array(env.utf8), appid: Array(app.utf8)) else {
        preconditionFailure("a test key is too long")
    }
    return key
}

func content(
    region: String = "sh", addrs: [String] = ["http://1.1.1.1:80"], version: String = "1",
    metadata: [(String, String)] = []
) -> InstanceContent {
    let entries = metadata.map {
        InstanceContent.Entry(key: Array($0.0.utf8), value: Array($0.1.utf8))
    }
    guard
        let content = InstanceContent(
            region: Array(region.utf8), version: Array(version.utf8),
            addrs: addrs.map { Array($0.utf8) }, metadata: entries)
    else { preconditionFailure("a test content is too long") }
    return content
}

extension Instance {
    var host: String { String(decoding: key.packed[key.hostname.range], as: UTF8.self) }
    var metadata: [String: String] {
        var result: [String: String] = [:]
        for entry in content.unpacked.metadata {
            result[String(decoding: entry.key, as: UTF8.self)] =
                String(decoding: entry.value, as: UTF8.self)
        }
        return result
    }
}

extension AppView {
    var hosts: [String] { zones.flatMap { $0.rows.map(\.instance.host) } }
    var instances: [Instance] { zones.flatMap { $0.rows.map(\.instance) } }
    var zoneNames: [String] { zones.map { String(decoding: $0.name, as: UTF8.self) } }
}

extension Answer {
    /// The wire's code, to compare outcomes by.
    var code: Int {
        switch self {
        case .done, .renewed, .fetched, .fetchedMany, .fetchedAll, .balanced, .polled, .polledMany,
            .nodes, .exchanged:
            0
        case .conflict: -409
        case .outdated, .unknownHost, .unknownWithData, .unknown, .pollUnknown, .zoneUnknown: -404
        case .notModified: -304
        case .refused(let refusal, _): refusal.rawValue
        }
    }

    var view: AppView? {
        switch self {
        case .fetched(let view), .polled(let view), .balanced(let view, _): view
        case .polledMany(let views, _), .fetchedMany(let views): views.first
        default: nil
        }
    }

    var instance: Instance? {
        switch self {
        case .renewed(let instance, _), .conflict(let instance, _), .outdated(let instance, _):
            instance
        default: nil
        }
    }
}
