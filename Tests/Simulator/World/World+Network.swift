import DiscoveryCore

/// Messages between hosts, and from clients.
extension World {
    /// A node wants something of another one.
    func send(_ call: PeerCall, from host: Host) {
        host.calls[call.id] = call
        trace.fold(call.id)
        trace.fold(Signature.of(call.request))
        trace.add(now, host.name, "-> \(name(of: call.address))", Signature.text(call.request))
        if !host.isGo { see(.sent(host, call)) }
        let deadline = host.clock.moment(at: now).monotonic + call.timeout
        queue.push(
            .timedOut(host: host.index, incarnation: host.incarnation, call: call.id),
            at: host.clock.time(of: deadline, now: now))
        guard let target = self.host(at: call.address),
            let delay = network.delay(from: host, to: target)
        else { return }
        let message = Message(
            sender: .host(host.index, incarnation: host.incarnation, call: call.id),
            content: .peer(call.request))
        queue.push(.arrived(host: target.index, message), at: now + delay)
        if let second = network.secondDelay(after: delay) {
            queue.push(.arrived(host: target.index, message), at: now + second)
        }
    }

    func arrived(_ host: Host, _ message: Message) {
        if host.isPaused { return host.inbox.append(.arrived(host: host.index, message)) }
        guard host.isRunning, host.isListening else { return refuse(message, at: host) }
        if host.isHalfOpen || isCalledOff(message) { return }
        trace.fold(UInt64(host.index))
        switch host.process {
        case .none: break
        case .own: receive(message, at: host)
        case .go(let node): receive(message, at: host, node)
        }
    }

    private func isCalledOff(_ message: Message) -> Bool {
        guard case .host(let index, let incarnation, let call) = message.sender else {
            return false
        }
        return hosts[index].incarnation == incarnation && hosts[index].calledOff.contains(call)
    }

    /// Nobody listens there.
    private func refuse(_ message: Message, at host: Host) {
        reply(
            to: message.sender, from: host,
            PeerReply(node: nil, outcome: .failed("connection refused")), ClientAnswer.failed)
    }

    /// Sends an answer back to whoever asked: the one of both that fits.
    func reply(
        to sender: Message.Sender, from host: Host, _ reply: @autoclosure () -> PeerReply,
        _ answer: @autoclosure () -> ClientAnswer
    ) {
        switch sender {
        case .host(let index, let incarnation, let call):
            guard let delay = network.delay(from: host, to: hosts[index]) else { return }
            let reply = network.spoiled(hosts[index].calls[call]?.request) ?? reply()
            queue.push(
                .replied(host: index, incarnation: incarnation, call: call, reply),
                at: now + delay)
        case .provider(let index, let serial):
            guard let delay = network.clientDelay(host) else { return }
            queue.push(.providerAnswered(index, serial: serial, answer()), at: now + delay)
        case .watcher(let index, let serial):
            guard let delay = network.clientDelay(host) else { return }
            queue.push(.watcherAnswered(index, serial: serial, answer()), at: now + delay)
        case .watcherLeft: break
        }
    }

    func replied(_ host: Host, _ incarnation: Int, _ call: UInt64, _ reply: PeerReply) {
        guard host.incarnation == incarnation, host.isRunning else { return }
        if host.isPaused {
            host.inbox.append(
                .replied(host: host.index, incarnation: incarnation, call: call, reply))
            return
        }
        guard let request = host.calls.removeValue(forKey: call) else { return }
        trace.fold(call)
        trace.add(
            now, host.name, "<- \(name(of: request.address))",
            "\(Signature.name(request.request)): \(Signature.text(reply.outcome))")
        if !host.isGo { see(.replied(host, request, reply)) }
        switch host.process {
        case .none: break
        case .own:
            var batch = Batch()
            batch.inputs.append(.peerReplied(call, reply))
            step(host, batch)
        case .go(let node):
            node.replied(call, reply, at: host.clock.moment(at: now))
            carryOut(node, host)
        }
    }

    /// A client sends a request; nil of the network is silence.
    func send(_ request: ClientRequest, from sender: Message.Sender, to host: Host) {
        guard let delay = network.clientDelay(host) else { return }
        queue.push(
            .arrived(host: host.index, Message(sender: sender, content: .client(request))),
            at: now + delay)
    }

    func host(at address: String) -> Host? { hosts.first { $0.address == address } }

    func name(of address: String) -> String { host(at: address)?.name ?? address }
}
