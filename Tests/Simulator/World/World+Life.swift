import DiscoveryCore

/// Processes that begin and end.
extension World {
    func start(_ host: Host) {
        guard !host.isRunning else { return }
        host.incarnation += 1
        host.isListening = false
        host.isStopping = false
        host.tickAt = nil
        host.due = .max
        host.calls = [:]
        host.calledOff = []
        lastChange = now
        trace.add(now, host.name, "start", "for the \(host.incarnation). time")
        let moment = host.clock.moment(at: now)
        let isFew = options.faults.contains(.fewSeeds)
        let known = isFew ? hosts.filter { $0.index == 0 || $0 === host } : hosts
        let seeds = known.map { ClusterSettings.Seed(address: $0.address, zone: $0.zoneName) }
        if host.isGo {
            let node = GoNode(
                zone: host.zoneName, address: host.address, hostname: "node\(host.index)",
                seeds: seeds,
                protectedUntil: options.startupProtection > 0
                    ? moment.monotonic + GoNode.startupProtection : 0,
                seed: nodeRandom.next())
            host.process = .go(node)
            node.start()
            return carryOut(node, host)
        }
        let id = NodeID(nodeRandom.next())
        host.process = .own(
            OwnNode(
                settings: settings(host, seeds), id: id, seed: nodeRandom.next(), now: moment))
        see(.started(host))
        var batch = Batch()
        batch.inputs.append(
            .scheduled(
                host.schedules.sorted { $0.key < $1.key }.map { app, revision in
                    Scheduled(
                        app: Names.app(app), schedule: Names.schedule(revision: revision))
                }))
        batch.inputs.append(.started)
        step(host, batch)
    }

    private func settings(_ host: Host, _ seeds: [ClusterSettings.Seed]) -> NodeSettings {
        var settings = NodeSettings()
        settings.zone = host.zoneName
        settings.hostname = "node\(host.index)"
        settings.lease = options.lease
        settings.overdueAfter = options.lease * 2 / 3
        settings.protectionCeiling = options.ceiling
        settings.pollHold = options.pollHold
        settings.startupProtection = options.startupProtection
        // Every look is a new one.
        settings.fetchAge = -1
        settings.cluster.seeds = seeds
        settings.cluster.digestRows = 8
        settings.cluster.digestLeavesPerRow = 8
        settings.cluster.comparisonInterval = options.comparisonInterval
        if options.faults.contains(.tightLimits) {
            settings.wakesPerStepMax = 1
            settings.evictionsPerStepMax = 1
            settings.cluster.batchCountMax = 2
            settings.cluster.batchBytesMax = 300
            settings.cluster.pageBytesMax = 300
            settings.cluster.entriesBytesMax = 100
            settings.cluster.relaysMax = 1
            settings.cluster.outboxMax = options.outboxMax ?? settings.cluster.outboxMax
        }
        return settings
    }

    func listened(_ host: Host, _ incarnation: Int) {
        guard host.incarnation == incarnation, host.own != nil else { return }
        if host.isPaused {
            return host.inbox.append(.listened(host: host.index, incarnation: incarnation))
        }
        host.isListening = true
        trace.add(now, host.name, "listens", "")
        var batch = Batch()
        batch.inputs.append(.announced(address: host.address))
        step(host, batch)
    }

    /// The process is gone, and with it what it remembered.
    func end(_ host: Host) {
        guard host.isRunning else { return }
        trace.add(now, host.name, "ended", "")
        let isOwn = host.own != nil
        host.process = .none
        host.isListening = false
        host.isStopping = false
        host.isPaused = false
        host.inbox = []
        host.calls = [:]
        // Whoever waits finds the connection broken.
        let broken = pending.keys.filter { pending[$0]?.host == host.index }.sorted()
        for id in broken {
            guard let request = pending.removeValue(forKey: id) else { continue }
            refuse(request.sender, host)
        }
        if isOwn { see(.stopped(host)) }
        // One that was still about to stop when the faults ended comes back too.
        if phase != .faults { queue.push(.fault(.start(host.index)), at: now + Duration.second) }
    }

    private func refuse(_ sender: Message.Sender, _ host: Host) {
        reply(
            to: sender, from: host,
            PeerReply(node: nil, outcome: .failed("the connection broke")), .failed)
    }

    /// Says good-bye, and ends once everything is sent.
    func stop(_ host: Host) {
        guard host.isRunning, !host.isStopping else { return }
        trace.add(now, host.name, "stops", "")
        host.isStopping = true
        switch host.process {
        case .none: break
        case .go(let node):
            node.stop()
            carryOut(node, host)
            end(host)
        case .own:
            var batch = Batch()
            batch.inputs.append(.drained)
            step(host, batch)
        }
    }

    // MARK: Nodes of the reference's kind

    func receive(_ message: Message, at host: Host, _ node: GoNode) {
        let id = RequestID(nextRequest)
        nextRequest += 1
        let moment = host.clock.moment(at: now)
        pending[id.rawValue] = PendingRequest(
            host: host.index, incarnation: host.incarnation, sender: message.sender,
            request: message.content, arrived: now, monotonic: moment.monotonic, step: stepCount + 1
        )
        node.handle(id, message.content, at: moment)
        carryOut(node, host)
    }

    func carryOut(_ node: GoNode, _ host: Host) {
        let acts = node.acts
        node.acts = []
        for act in acts {
            switch act {
            case .call(let call): send(call, from: host)
            case .callOff(let call):
                host.calls[call] = nil
                host.calledOff.insert(call)
            case .answer(let id, let reply): answer(id, reply, host)
            case .listen:
                host.isListening = true
                trace.add(now, host.name, "listens", "")
                queue.push(.goTicked(host: host.index, incarnation: host.incarnation), at: now)
            }
        }
    }

    private func answer(_ id: RequestID, _ answer: GoNode.Reply, _ host: Host) {
        guard let request = pending.removeValue(forKey: id.rawValue) else { return }
        trace.fold(Int64(answer.code))
        var isToGo = true
        if case .host(let index, _, _) = request.sender { isToGo = hosts[index].isGo }
        var peer = PeerRequest.probe
        if case .peer(let asked) = request.request { peer = asked }
        reply(
            to: request.sender, from: host,
            Delivery.reply(answer, to: peer, isToGo: isToGo),
            ClientAnswer(code: answer.code, seen: nil))
    }

    func goTicked(_ host: Host, _ incarnation: Int) {
        guard host.incarnation == incarnation, let node = host.go else { return }
        if host.isPaused {
            return host.inbox.append(.goTicked(host: host.index, incarnation: incarnation))
        }
        node.tick(at: host.clock.moment(at: now))
        carryOut(node, host)
        queue.push(
            .goTicked(host: host.index, incarnation: incarnation),
            at: now + GoNode.renewalInterval)
    }
}
