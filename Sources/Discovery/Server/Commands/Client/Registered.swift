internal import DiscoveryWire
internal import Dispatch
internal import Synchronization

/// The registration of a program that another one runs, kept in a thread of its own: the one that
/// takes signals never waits for the registry longer than it wants to. Nothing here throws: the
/// program goes on whatever the registry does, and what went wrong is told once.
final class Registered: Sendable {
    private enum Wish { case keep, waiting, gone }

    private let key: [(String, String)]
    private let content: [(String, String)]
    /// Where the program has to listen before it is shown to anybody.
    private let place: Endpoint
    private let caller: NodeCaller
    private let renewMilliseconds: Int
    /// How long one node has for an answer before the next is asked.
    private let callSeconds: Int
    private let wish = Mutex(Wish.keep)
    /// Signalled with every new wish.
    private let wished = DispatchSemaphore(value: 0)
    /// Signalled once, when it is known whether the registry has taken it out of traffic.
    private let hasTriedWaiting = DispatchSemaphore(value: 0)
    private let isWaiting = Atomic(false)
    private let hasGone = DispatchSemaphore(value: 0)
    private let queue = DispatchQueue(label: "discovery.run")

    private static let probeMilliseconds = 100
    private static let retryMilliseconds = 1000
    /// A port that is closed for so long deserves a word.
    private static let patienceMilliseconds = 10_000

    /// Renewed as by all clients in the field; the lease is three times as long.
    init(
        _ run: RunCommand, _ caller: NodeCaller, renewMilliseconds: Int = 30_000,
        callSeconds: Int = 1
    ) throws(CommandFailure) {
        key = try run.instance.fields()
        content =
            [("version", run.version), ("metadata", Pair.json(run.meta))]
            + run.addr.map { ("addrs", $0) }
        guard let place = run.addr.first.flatMap(Registered.place) else {
            throw .broken(
                "--addr: found \"\(run.addr.first ?? "")\", allowed is an address like "
                    + "\"http://10.0.0.1:8080\"")
        }
        self.place = place
        self.caller = caller
        self.renewMilliseconds = renewMilliseconds
        self.callSeconds = callSeconds
    }

    /// Host and port of an address with its scheme.
    private static func place(of address: String) -> Endpoint? {
        guard let scheme = address.firstRange(of: "://") else { return nil }
        let rest = address[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" }
        return Endpoint(String(rest)).flatMap { $0.port > 0 && !$0.isWildcard ? $0 : nil }
    }

    // MARK: For who takes the signals

    /// Begins to look for the program's port.
    func begin() { queue.async { [self] in keep() } }

    /// In which every node can be asked, behind one call to a node that hangs.
    var answerSeconds: Int { (caller.nodes.count + 1) * callSeconds }

    /// Whether the registry has taken it out of traffic within the time.
    func setWaiting(within seconds: Int) -> Bool {
        make(.waiting)
        guard hasTriedWaiting.wait(timeout: .now() + .seconds(seconds)) == .success else {
            return false
        }
        return isWaiting.load(ordering: .acquiring)
    }

    func beginCancel() { make(.gone) }

    /// Returns when it is cancelled, or its time is over: then its lease ends it.
    func cancel(within seconds: Int) {
        make(.gone)
        // It stays signalled: this may be asked for twice.
        if hasGone.wait(timeout: .now() + .seconds(seconds)) == .success { hasGone.signal() }
    }

    private func make(_ new: Wish) {
        wish.withLock { $0 = new }
        wished.signal()
    }

    // MARK: The registration's own thread

    private func keep() {
        var post = Post(caller: caller, key: key, callSeconds: callSeconds)
        var due = DispatchTime.now()
        var probes = 0
        while true {
            _ = wished.wait(timeout: due)
            switch wish.withLock({ $0 }) {
            case .gone:
                if post.mayBeRegistered { _ = post.send(.cancel) }
                hasGone.signal()
                return
            case .waiting:
                let isTaken = post.mayBeRegistered && post.send(.set, [("status", "2")]) == 0
                isWaiting.store(isTaken, ordering: .releasing)
                hasTriedWaiting.signal()
                // Nobody is renewed any more, and nobody is registered again.
                due = .distantFuture
            case .keep:
                due = .now() + .milliseconds(advance(&post, &probes))
            }
        }
    }

    /// A step towards a registration that lives; milliseconds to the next.
    private func advance(_ post: inout Post, _ probes: inout Int) -> Int {
        if post.isRegistered {
            let code = post.send(.renew)
            if code == -404 { return register(&post) }
            return code == nil ? Registered.retryMilliseconds : renewMilliseconds
        }
        guard Probe.accepts(place, withinMilliseconds: Registered.probeMilliseconds * 2) else {
            probes += 1
            if probes * Registered.probeMilliseconds == Registered.patienceMilliseconds {
                StandardStream.error.write(
                    line: "discovery run: \(place) does not accept connections yet")
            }
            return Registered.probeMilliseconds
        }
        return register(&post)
    }

    private func register(_ post: inout Post) -> Int {
        post.isRegistered = post.send(.register, content + [("status", "1")]) == 0
        return post.isRegistered ? renewMilliseconds : Registered.retryMilliseconds
    }

    private struct Post {
        let caller: NodeCaller
        let key: [(String, String)]
        let callSeconds: Int
        var isRegistered = false
        /// A register whose answer was lost may have been taken.
        private(set) var mayBeRegistered = false
        private var complaint = ""

        init(caller: NodeCaller, key: [(String, String)], callSeconds: Int) {
            self.caller = caller
            self.key = key
            self.callSeconds = callSeconds
        }

        /// Nil if no node answers.
        mutating func send(_ route: Route, _ fields: [(String, String)] = []) -> Int? {
            if route == .register { mayBeRegistered = true }
            var failure = ""
            var code: Int?
            do throws(CommandFailure) {
                let answer = try caller.post(route, key + fields, seconds: callSeconds)
                code = answer.code
                if answer.code != 0, answer.code != -404 {
                    failure = "the registry answered \(answer.code): \(answer.message)"
                }
            } catch {
                failure = "\(error)"
            }
            if failure != complaint, !failure.isEmpty {
                StandardStream.error.write(
                    line: "discovery run: \(route.name): \(Message.shown(failure))")
            }
            complaint = failure
            return code
        }
    }
}
