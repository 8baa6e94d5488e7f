internal import DiscoveryCore
internal import DiscoveryHTTP
internal import DiscoveryWire
internal import Dispatch
internal import Glibc
internal import Logging
internal import Synchronization

/// A running node: everything between the configuration and the exit code.
struct Daemon {
    let configuration: Configuration
    let logger: Logger
    /// Where `logger` writes to.
    let log: LogQueue

    /// How long the node goes on serving after it was told to stop: clients that were answered -503
    /// come once more before they go to another node.
    private static let drain = Duration.second
    /// How much longer it may take to tell the other nodes what they have not been told yet.
    private static let flush = Duration.second
    private static let flushCheckMicroseconds: UInt32 = 10_000

    /// Runs until SIGTERM or SIGINT. Throws what kept it from starting. Main thread.
    func run() throws(LoopError) {
        // Blocked in every thread that starts from here on; `wait` takes them one by one.
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        for signal in [SIGTERM, SIGINT] { unsafe sigaddset(&signals, signal) }
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
        redirectLibevent()

        let id = NodeID(UInt64.random(in: UInt64.min...UInt64.max))
        let heads = ReplyHeads(node: id)
        let handles = LoopHandles()
        let queue = makeQueue(id, heads, BulkEncoder(handles: handles, heads: heads))
        let opening = Opening()
        let scheduler = SchedulerWatch(settings: configuration.scheduler, logger: logger)
        let group = try startLoops(id, heads, queue, handles, opening, scheduler)
        if var admin = configuration.admin {
            admin.port = group.ports[NodeClient.adminListener]
            logger.notice("admin on \(admin)")
        }
        opening.prepare { open(group, queue) }
        scheduler.start { schedules in
            // Whatever makes the node look at its clock may be what ends the joining.
            if run(.scheduled(schedules), on: queue, group) { opening.begin() }
        }
        if run(.started, on: queue, group) { opening.begin() }

        var signal: Int32 = 0
        unsafe sigwait(&signals, &signal)
        opening.cancel()
        scheduler.stop()
        logger.notice(
            "stopping", metadata: ["signal": signal == SIGINT ? "SIGINT" : "SIGTERM"])
        stop(group, queue)
        logger.notice("stopped")
    }

    private func makeQueue(
        _ id: NodeID, _ heads: ReplyHeads, _ bulk: BulkEncoder
    ) -> NodeQueue {
        let node = Node(
            settings: configuration.nodeSettings, id: id,
            seed: UInt64.random(in: UInt64.min...UInt64.max), now: Clocks.now)
        return NodeQueue(
            node: node,
            encoder: ReplyEncoder(
                log: NodeLog(logger: logger), shape: configuration.wireSettings.shape, bulk: bulk,
                heads: heads))
    }

    private func startLoops(
        _ id: NodeID, _ heads: ReplyHeads, _ queue: NodeQueue, _ handles: LoopHandles,
        _ opening: Opening, _ scheduler: SchedulerWatch
    ) throws(LoopError) -> LoopGroup {
        let counts = (0..<configuration.loops).map { _ in RequestCounts() }
        let metrics = MetricsPage(
            identity: configuration.identity, queue: queue, counts: counts,
            loops: { handles.all.map { $0.statistics() } }, scheduler: scheduler, log: log,
            libevent: LibeventLog.version)
        let cluster = configuration.cluster
        let services = NodeServices(
            queue: queue, admin: AdminPages(metrics: metrics, queue: queue), heads: heads,
            peers: PeerGuard(token: cluster.token, allow: cluster.allow),
            wire: configuration.wireSettings, counts: counts, id: id, token: cluster.token,
            onJoined: { opening.begin() })
        return try LoopGroup.start(
            count: configuration.loops, configuration.loopConfiguration
        ) { loop, siblings in
            handles.set(siblings)
            return NodeClient(loop: loop, siblings: siblings, services: services)
        }
    }

    /// Runs the node once, in no loop's turn. Whether it may listen from now on: said once.
    private func run(_ input: Input, on queue: NodeQueue, _ group: LoopGroup) -> Bool {
        var turn = Turn(loop: -1, loopCount: group.handles.count)
        turn.batch.inputs.append(input)
        _ = queue.run(&turn, at: Clocks.now)
        for (handle, replies) in zip(group.handles, turn.foreign) { handle.post(replies) }
        let caller = group.handles[NodeClient.callingLoop]
        if !turn.calls.isEmpty { caller.post(message: PeerMail.calls(turn.calls)) }
        caller.post(message: PeerMail.due)
        return turn.hasJoined
    }

    /// The node is announced only when it listens. False if it cannot.
    private func open(_ group: LoopGroup, _ queue: NodeQueue) -> Bool {
        let told = DispatchSemaphore(value: 0)
        let failures = Atomic(0)
        for handle in group.handles {
            handle.openListeners { areOpen in
                if !areOpen { failures.add(1, ordering: .relaxed) }
                told.signal()
            }
        }
        for _ in group.handles { told.wait() }
        if failures.load(ordering: .relaxed) > 0 { return false }
        var listen = configuration.listen
        listen.port = group.ports[0]
        var advertise = configuration.advertise
        if advertise.port == 0 { advertise.port = listen.port }
        // It has joined, or it would not be opened.
        _ = run(.announced(address: advertise.description), on: queue, group)
        logger.notice(
            "listening on \(listen)",
            metadata: [
                "advertise": "\(advertise)", "zone": "\(configuration.identity.zone)",
                "env": "\(configuration.identity.env)", "loops": "\(configuration.loops)",
            ])
        return true
    }

    private func stop(_ group: LoopGroup, _ queue: NodeQueue) {
        let start = Clocks.now.monotonic
        // Nothing is opened any more.
        _ = run(.drained, on: queue, group)
        while true {
            let now = Clocks.now
            let passed = now.monotonic - start
            if passed >= Daemon.drain + Daemon.flush { break }
            if passed >= Daemon.drain, queue.report(at: now).isFlushed { break }
            usleep(Daemon.flushCheckMicroseconds)
        }
        for handle in group.handles { handle.pauseAccepting() }
        group.stop()
        group.join()
    }

    private func redirectLibevent() {
        let logger = self.logger
        LibeventLog.redirect { severity, message in
            switch severity {
            case .debug: logger.debug("libevent: \(message)")
            case .message: logger.info("libevent: \(message)")
            case .warning: logger.warning("libevent: \(message)")
            case .error: logger.error("libevent: \(message)")
            case .fatal: logger.critical("libevent: \(message)")
            }
        }
    }
}

/// Opens the node's listeners once the other nodes have been heard, unless it is stopped before.
private final class Opening: Sendable {
    private let queue = DispatchQueue(label: "discovery.opening")
    private let action = Mutex<(@Sendable () -> Bool)?>(nil)
    private static let pause = DispatchTimeInterval.seconds(1)

    /// What is to be done, again and again until it returns true; said before the node starts to
    /// join.
    func prepare(_ action: @escaping @Sendable () -> Bool) { self.action.withLock { $0 = action } }

    /// Any thread, which does not wait: the action takes a turn of the node's and of each loop.
    func begin() {
        queue.async { [self] in
            guard let action = action.withLock({ $0 }), !action() else { return }
            queue.asyncAfter(deadline: .now() + Opening.pause) { [self] in begin() }
        }
    }

    /// Nothing is opened any more when this returns.
    func cancel() {
        action.withLock { $0 = nil }
        queue.sync {}
    }
}
