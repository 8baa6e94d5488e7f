internal import DiscoveryCore
internal import DiscoveryHTTP
internal import DiscoveryWire
internal import Glibc
internal import Logging

/// A running node: everything between the configuration and the exit code.
struct Daemon {
    let configuration: Configuration
    let logger: Logger
    /// Where `logger` writes to.
    let log: LogQueue

    /// How long the node goes on serving after it was told to stop: clients that were answered -503
    /// come once more before they go to another node.
    private static let drainSeconds: UInt32 = 1

    /// Runs until SIGTERM or SIGINT. Throws what kept it from starting. Main thread.
    func run() throws(LoopError) {
        // Blocked in every thread that starts from here on; `wait` takes them one by one.
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        for signal in [SIGTERM, SIGINT] { unsafe sigaddset(&signals, signal) }
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
        redirectLibevent()

        let handles = LoopHandles()
        let bulk = BulkEncoder(handles: handles)
        let queue = makeQueue(bulk)
        let group = try startLoops(queue, handles)
        announce(group, queue)

        var signal: Int32 = 0
        unsafe sigwait(&signals, &signal)
        logger.notice(
            "stopping", metadata: ["signal": signal == SIGINT ? "SIGINT" : "SIGTERM"])
        stop(group, queue)
        logger.notice("stopped")
    }

    private func makeQueue(_ bulk: BulkEncoder) -> NodeQueue {
        let node = Node(
            settings: configuration.nodeSettings,
            id: NodeID(UInt64.random(in: UInt64.min...UInt64.max)),
            seed: UInt64.random(in: UInt64.min...UInt64.max), now: Daemon.now)
        return NodeQueue(
            node: node,
            encoder: ReplyEncoder(
                log: NodeLog(logger: logger), shape: configuration.wireSettings.shape, bulk: bulk))
    }

    private func startLoops(
        _ queue: NodeQueue, _ handles: LoopHandles
    ) throws(LoopError) -> LoopGroup {
        let counts = (0..<configuration.loops).map { _ in RequestCounts() }
        let wire = configuration.wireSettings
        let peers = PeerGuard(
            token: configuration.cluster.token, allow: configuration.cluster.allow)
        let metrics = MetricsPage(
            identity: configuration.identity, queue: queue, counts: counts,
            loops: { handles.all.map { $0.statistics() } }, log: log, libevent: LibeventLog.version)
        let admin = AdminPages(metrics: metrics, queue: queue)
        let group = try LoopGroup.start(
            count: configuration.loops, configuration.loopConfiguration
        ) { loop, siblings in
            handles.set(siblings)
            return NodeClient(
                loop: loop, siblings: siblings, queue: queue, admin: admin,
                counts: counts[loop.index], peers: peers, wire: wire)
        }
        return group
    }

    /// The node is announced only now that it listens.
    private func announce(_ group: LoopGroup, _ queue: NodeQueue) {
        var listen = configuration.listen
        listen.port = group.ports[0]
        var advertise = configuration.advertise
        if advertise.port == 0 { advertise.port = listen.port }
        var turn = Turn(loop: -1, loopCount: group.handles.count)
        turn.batch.inputs.append(.announced(address: advertise.description))
        _ = queue.run(&turn, at: Daemon.now)
        // Without it no loop would call the node at its deadlines before the first request.
        group.handles[0].wake()
        logger.notice(
            "listening on \(listen)",
            metadata: [
                "advertise": "\(advertise)", "zone": "\(configuration.identity.zone)",
                "env": "\(configuration.identity.env)", "loops": "\(configuration.loops)",
            ])
        if var admin = configuration.admin {
            admin.port = group.ports[NodeClient.adminListener]
            logger.notice("admin on \(admin)")
        }
    }

    private func stop(_ group: LoopGroup, _ queue: NodeQueue) {
        var turn = Turn(loop: -1, loopCount: group.handles.count)
        turn.batch.inputs.append(.drained)
        _ = queue.run(&turn, at: Daemon.now)
        for (handle, replies) in zip(group.handles, turn.foreign) { handle.post(replies) }
        sleep(Daemon.drainSeconds)
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

    private static var now: Moment {
        Moment(
            wall: Int64(clamping: Clocks.wall), monotonic: Int64(clamping: Clocks.monotonic))
    }
}
