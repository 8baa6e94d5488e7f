import DiscoveryCore

/// One node under a random workload, beside a naive model of what it has to do.
///
/// Everything follows from the seed: what clients do, how long they wait, when they fall silent.
/// The digest folds every effect in, so two runs that differ anywhere differ in it.
final class Simulation {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private struct Client {
        let key: InstanceKey
        let app: String
        var isAlive = false
        var lastRenewal: Int64 = 0
    }

    private struct Waiting {
        let app: String
        let latest: Int64
        let deadline: Int64
    }

    private let apps = ["a", "b", "c.long.application.name"]
    private let test: TestNode
    private var random: SplitMix64
    private var clients: [Client] = []
    private var waiting: [RequestID: Waiting] = [:]
    /// The last timestamp seen of each application.
    private var latest: [String: Int64] = [:]
    private(set) var digest: UInt64 = 14_695_981_039_346_656_037
    private let end: Int64

    init(seed: UInt64, duration: Int64) {
        random = SplitMix64(seed: seed)
        let slices = Int.random(in: 1...600, using: &random)
        test = TestNode {
            $0.wakesPerStepMax = slices
            $0.tombstonesMax = 50
        }
        end = test.now.monotonic + duration
        let count = Int.random(in: 1...40, using: &random)
        for host in 0..<count {
            let app = apps[Int.random(in: 0..<apps.count, using: &random)]
            let zone = Bool.random(using: &random) ? "sh001" : "sh002"
            clients.append(Client(key: key("h\(host)", app: app, zone: zone), app: app))
        }
    }

    func run() throws {
        while test.now.monotonic < end {
            test.wait(Int64.random(in: 0...Duration.second, using: &random))
            // Sometimes a client that lives has to renew, whatever else happens.
            try renewTheLiving()
            try act()
            try collect()
        }
        test.wait(31 * Duration.second)
        try collect()
        guard waiting.isEmpty else {
            throw Failure(description: "\(waiting.count) polls were never answered")
        }
        guard test.node.waiterCount == 0 else { throw Failure(description: "a waiter leaked") }
    }

    private func act() throws {
        let index = Int.random(in: 0..<clients.count, using: &random)
        let client = clients[index]
        let host = String(decoding: client.key.packed[client.key.hostname.range], as: UTF8.self)
        let zone = String(decoding: client.key.packed[client.key.zone.range], as: UTF8.self)
        switch Int.random(in: 0..<10, using: &random) {
        case 0...2:
            let version = String(Int.random(in: 0..<3, using: &random))
            guard test.register(host, app: client.app, zone: zone, version: version)?.code == 0
            else { throw Failure(description: "a register was refused") }
            clients[index].isAlive = true
            clients[index].lastRenewal = test.now.monotonic
        case 3:
            let expected = isStored(client) ? 0 : -404
            let code = test.cancel(host, app: client.app, zone: zone)?.code
            try expect(code == expected, "cancel of \(host): \(code ?? 1)")
            clients[index].isAlive = false
        case 4: clients[index].isAlive = false
        case 5:
            let status: InstanceStatus = Bool.random(using: &random) ? .up : .waiting
            _ = test.set([.init(key: client.key, status: status)])
        case 6...8: poll()
        default:
            if let id = waiting.keys.min(by: { $0.rawValue < $1.rawValue }) {
                waiting[id] = nil
                test.hangUp(id)
            }
        }
        try look()
    }

    private func poll() {
        let app = apps[Int.random(in: 0..<apps.count, using: &random)]
        let known = Bool.random(using: &random) ? latest[app] ?? 0 : 0
        let hold = Int64.random(in: 1...30_000, using: &random) * Duration.millisecond
        let id = test.poll([(app, known)], hold: hold)
        waiting[id] = Waiting(
            app: app, latest: known, deadline: test.now.monotonic + hold)
    }

    private func isStored(_ client: Client) -> Bool {
        test.hosts(app: client.app).contains(
            String(decoding: client.key.packed[client.key.hostname.range], as: UTF8.self))
    }

    private func renewTheLiving() throws {
        for index in clients.indices where clients[index].isAlive {
            guard test.now.monotonic - clients[index].lastRenewal >= 30 * Duration.second else {
                continue
            }
            let key = clients[index].key
            let code = test.renew(
                String(decoding: key.packed[key.hostname.range], as: UTF8.self),
                app: clients[index].app,
                zone: String(decoding: key.packed[key.zone.range], as: UTF8.self))?.code
            try expect(code == 0, "a living instance was evicted")
            clients[index].lastRenewal = test.now.monotonic
        }
    }

    /// Timestamps never go back, and nothing outlives its lease by more than protection allows.
    private func look() throws {
        for app in apps {
            guard let view = test.fetch(app: app, statuses: 3)?.view else { continue }
            try expect(view.latest >= latest[app] ?? 0, "latest_timestamp of \(app) went back")
            latest[app] = view.latest
            fold(UInt64(bitPattern: view.latest))
            for instance in view.instances { fold(UInt64(bitPattern: instance.dirty)) }
        }
    }

    private func collect() throws {
        for id in waiting.keys.sorted(by: { $0.rawValue < $1.rawValue }) {
            guard let waiting = waiting[id] else { continue }
            guard let answer = test.take(id) else {
                // A wheel's tick of 10 ms after its deadline at the latest.
                try expect(
                    test.now.monotonic <= waiting.deadline + 20 * Duration.millisecond,
                    "a poll was held past its deadline")
                continue
            }
            self.waiting[id] = nil
            fold(id.rawValue)
            fold(UInt64(bitPattern: Int64(answer.code)))
            if let view = answer.view {
                try expect(view.latest > waiting.latest, "a poll was told what it had")
                for host in view.hosts { for byte in host.utf8 { fold(UInt64(byte)) } }
            } else {
                try expect(answer.code == -304, "a poll was answered \(answer.code)")
            }
        }
    }

    private func expect(_ condition: Bool, _ what: String) throws {
        if !condition {
            let seconds = (test.now.monotonic - TestNode.start.monotonic) / Duration.second
            throw Failure(description: "\(what), \(seconds) s after the start")
        }
    }

    private func fold(_ value: UInt64) { digest = (digest ^ value) &* 1_099_511_628_211 }
}
