import DiscoveryCore

/// A node of the reference's kind, as its peers see it: with its habits, good or bad.
///
/// It keeps no tombstones, relays once, to all at the same time and inside the request, calls a
/// set off at all others when one node does not take it, compares versions between peers only,
/// forgets its seeds once it has announced itself, and evicts by the wall clock without telling
/// anybody.
final class GoNode {
    struct Stored {
        var content: InstanceContent
        var status: InstanceStatus
        var dirty: Int64
        var registered: Int64
        var up: Int64
        /// Wall time, which is what makes it wrong when the clock steps.
        var renewed: Int64
    }

    enum Act {
        case answer(RequestID, Reply)
        case call(PeerCall)
        /// Nobody waits for the answer to this call any more, and the connection is closed.
        case callOff(UInt64)
        case listen
    }

    struct Reply {
        var code: Int
        var record: Record?
        var all: [Record]?
    }

    let zone: String
    let address: String
    let hostname: String
    let seeds: [ClusterSettings.Seed]
    var instances: [InstanceKey: Stored] = [:]
    var random: SplitMix64
    var acts: [Act] = []
    var nextCall: UInt64 = 1
    /// What each call under way is for.
    var calls: [UInt64: Errand] = [:]
    /// Requests whose answer waits for the calls they caused.
    var waiting: [RequestID: Waiting] = [:]
    private(set) var isAnnounced = false
    /// Until when reads are refused, those of other nodes too, monotonic; 0: they are not.
    private(set) var protectedUntil: Int64
    private var pulling = 0
    private var ticks = 0
    /// Renewals of this minute, and twice the instances there should be.
    private var renewals = 0
    private var expectation = 0

    static let lease = 90 * Duration.second
    static let renewalInterval = 30 * Duration.second
    static let callTimeout = 5 * Duration.second
    static let startupProtection = Duration.minute
    static let selfAppID = Array("infra.discovery".utf8)

    /// One relayed write, or a pull at the start.
    struct Errand {
        var request: RequestID?
        var address: String
        var isSameZone: Bool
        /// Nil: a set, or fetch/all.
        var key: InstanceKey?
        var isRenewal = false
        var isSet = false
    }

    struct Waiting {
        var calls = 0
        /// What it is going to be answered with, whatever becomes of the calls.
        var code = 0
    }

    init(
        zone: String, address: String, hostname: String, seeds: [ClusterSettings.Seed],
        protectedUntil: Int64, seed: UInt64
    ) {
        self.zone = zone
        self.address = address
        self.hostname = hostname
        self.seeds = seeds
        self.protectedUntil = protectedUntil
        random = SplitMix64(seed: seed)
    }

    var sortedKeys: [InstanceKey] {
        instances.keys.sorted { $0.packed.precedes($1.packed) }
    }

    // MARK: Life

    func start() {
        let (peers, zones) = neighbours
        let asked = peers + zones.map { pick($0) }
        pulling = asked.count
        for address in asked {
            let isSameZone = peers.contains(address)
            call(.fetchAll, Errand(address: address, isSameZone: isSameZone))
        }
        if pulling == 0 { acts.append(.listen) }
    }

    func announce(at now: Moment) {
        isAnnounced = true
        guard let key = selfKey,
            let content = InstanceContent(
                region: Array("sh".utf8), version: [], addrs: [Array("http://\(address)".utf8)],
                metadata: [])
        else { return }
        let others = neighboursBeforeAnnouncing
        _ = store(key, content, .up, dirty: now.wall, at: now)
        replicate(nil, key, .register, isOnlyOwnZone: false, content, .up, now.wall, to: others)
    }

    /// Every 30 s.
    func tick(at now: Moment) {
        ticks += 1
        if let key = selfKey, instances[key] != nil {
            instances[key]?.renewed = now.wall
            renewals += 1
            relay(nil, key, .renew, isOnlyOwnZone: false)
        } else {
            announce(at: now)
        }
        if ticks.isMultiple(of: 2) { evict(at: now) }
    }

    func stop() {
        guard let key = selfKey, let stored = instances[key] else { return }
        instances[key] = nil
        replicate(
            nil, key, .cancel, isOnlyOwnZone: false, stored.content, stored.status, 0,
            to: neighbours)
    }

    private func evict(at now: Moment) {
        let isProtected = renewals < expectation * 85 / 100
        renewals = 0
        if ticks.isMultiple(of: 30) { expectation = 2 * instances.count }
        var expired = sortedKeys.filter { key in
            guard let stored = instances[key] else { return false }
            let silence = now.wall - stored.renewed
            return silence > Duration.hour || (!isProtected && silence > GoNode.lease)
        }
        let limit = instances.count - instances.count * 85 / 100
        while expired.count > limit {
            expired.remove(at: random.number(0...expired.count - 1))
        }
        for key in expired { instances[key] = nil }
    }

    // MARK: Its registry

    var selfKey: InstanceKey? {
        InstanceKey(
            env: Array("dev".utf8), appid: GoNode.selfAppID, zone: Array(zone.utf8),
            hostname: Array(hostname.utf8))
    }

    /// An older version is dropped, one of the same version takes the place of what is there.
    func store(
        _ key: InstanceKey, _ content: InstanceContent, _ status: InstanceStatus, dirty: Int64,
        renewed: Int64? = nil, at now: Moment
    ) -> Bool {
        let old = instances[key]
        if let old, dirty < old.dirty { return false }
        if old == nil { expectation += 2 }
        instances[key] = Stored(
            content: content, status: status, dirty: dirty, registered: now.wall,
            up: old?.up ?? now.wall, renewed: renewed ?? now.wall)
        return true
    }

    func remove(_ key: InstanceKey) -> Stored? {
        guard let stored = instances.removeValue(forKey: key) else { return nil }
        expectation -= 2
        return stored
    }

    func renew(_ key: InstanceKey, at now: Moment) -> Stored? {
        guard instances[key] != nil else { return nil }
        instances[key]?.renewed = now.wall
        renewals += 1
        return instances[key]
    }

    func record(_ key: InstanceKey, at now: Moment) -> Record? {
        guard let stored = instances[key] else { return nil }
        return Record(
            key: key, version: stored.dirty,
            state: .registered(
                Record.Registered(
                    content: stored.content, status: stored.status,
                    registered: stored.registered, up: stored.up,
                    silence: GoNode.silence(now.wall - stored.renewed))))
    }

    /// As it is read of fetch/all: where the clock was set back since, nobody knows.
    private static func silence(_ silence: Int64) -> Int64 {
        silence > -2 * Duration.second ? max(0, silence) : silence
    }

    /// One pull has come to its end; nil: without an answer that tells what there is. Any answer
    /// ends the protection, one of a node that holds nothing too.
    func pulled(_ records: [Record]?, at now: Moment) {
        if records != nil { protectedUntil = 0 }
        let records = records ?? []
        for record in records {
            guard case .registered(let registered) = record.state else { continue }
            _ = store(
                record.key, registered.content, registered.status, dirty: record.version,
                renewed: now.wall - registered.silence, at: now)
        }
        pulling -= 1
        if pulling == 0 { acts.append(.listen) }
    }

    func pick(_ addresses: [String]) -> String {
        addresses[random.number(0...addresses.count - 1)]
    }
}
