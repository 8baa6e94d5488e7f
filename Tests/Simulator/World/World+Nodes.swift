import DiscoveryCore

/// Steps of our nodes, and what comes of them.
extension World {
    /// Ticks of clocks that drift are not exact.
    private static let punctuality = 25 * Duration.millisecond

    func step(_ host: Host, _ batch: borrowing Batch) {
        guard let own = host.own else { return }
        let moment = host.clock.moment(at: now)
        host.hasOverslept = host.due < moment.monotonic - World.punctuality
        seeStep(.willStep(host))
        var effects: [Effect] = []
        own.node.step(batch, at: moment, effects: &effects)
        stepCount += 1
        if stepCount.isMultiple(of: 50) { own.node.checkInvariants() }
        // A write is known before it is answered, which may be in the same step.
        if let writing { written(own.node.held(writing.key)) }
        for effect in effects { carryOut(effect, host) }
        seeStep(.stepped(host))
        schedule(host)
        if host.isStopping, own.isFlushed { end(host) }
    }

    func ticked(_ host: Host) {
        guard host.tickAt == now else { return }
        host.tickAt = nil
        guard let own = host.own, !host.isPaused else { return }
        let due = own.node.nextDeadline ?? .max
        guard due <= host.clock.moment(at: now).monotonic else { return schedule(host) }
        host.idleTicks += 1
        if host.idleTicks > 10_000 {
            fail("world", "\(host.name) asks for a tick again and again, deadline \(due)")
        }
        var batch = Batch()
        batch.inputs.append(.ticked)
        step(host, batch)
    }

    func schedule(_ host: Host) {
        guard let own = host.own, !host.isPaused else { return }
        guard let due = own.node.nextDeadline else {
            host.due = .max
            return
        }
        // A deadline that a pause has passed stays as it is; `Int64.min` is at once, more of the
        // same.
        if due > .min {
            host.due = due
        } else if !host.hasOverslept {
            host.due = host.clock.moment(at: now).monotonic
        }
        let time = host.clock.time(of: due, now: now)
        if time > now { host.idleTicks = 0 }
        if let tickAt = host.tickAt, tickAt <= time, tickAt >= now { return }
        host.tickAt = time
        queue.push(.ticked(host: host.index), at: time)
    }

    private func carryOut(_ effect: Effect, _ host: Host) {
        switch effect {
        case .answer(let id, let answer): self.answer(id, answer, host)
        case .call(let call): send(call, from: host)
        case .joined:
            queue.push(
                .listened(host: host.index, incarnation: host.incarnation),
                at: now + Duration.millisecond)
        case .note(let note): noted(note, host)
        }
    }

    private func noted(_ note: Note, _ host: Host) {
        let text = NoteText.of(note)
        if let key = text.key {
            trace.fold(Names.fold(key.packed, from: UInt64(host.index)))
            trace.add(now, host.name, text.what, Names.text(key) + text.details())
        } else {
            trace.add(now, host.name, "note", text.details())
        }
        if text.isChange { lastChange = now }
        see(.noted(host, note))
    }

    // MARK: Requests

    func receive(_ message: Message, at host: Host) {
        if case .watcherLeft(let index, let serial) = message.sender {
            return left(index, serial, host)
        }
        let id = RequestID(nextRequest)
        nextRequest += 1
        let moment = host.clock.moment(at: now)
        let request = PendingRequest(
            host: host.index, incarnation: host.incarnation, sender: message.sender,
            request: message.content, arrived: now, monotonic: moment.monotonic, step: stepCount + 1
        )
        var batch = Batch()
        var isFromGo = false
        if case .host(let index, _, _) = message.sender { isFromGo = hosts[index].isGo }
        if case .client(let client) = message.content, client.isWrite {
            return write(client, id, host, request)
        }
        Delivery.put(message.content, id, isFromGo: isFromGo, into: &batch)
        pending[id.rawValue] = request
        if case .watcher(let index, let serial) = message.sender {
            heldPolls[index] = HeldPoll(request: id.rawValue, serial: serial)
        }
        see(.received(host, id, request))
        step(host, batch)
    }

    /// A write of a client, between two looks at the instance: from these follows which version
    /// the node gave it.
    private func write(
        _ client: ClientRequest, _ id: RequestID, _ host: Host, _ request: PendingRequest
    ) {
        let key: InstanceKey
        let kind: SourceWrite.Kind
        switch client {
        case .register(let registration): (key, kind) = (registration.key, .register)
        case .cancel(let cancelled): (key, kind) = (cancelled, .cancel)
        case .set(let change): (key, kind) = (change.key, .set)
        case .renew, .poll: return
        }
        let before = instance(key, on: host)
        let others = kind == .cancel ? hosts.filter { $0 !== host && $0.zone == host.zone } : []
        let holders = others.filter { instance(key, on: $0) != nil }.map(\.index)
        let number = oracle.nextNumber
        var request = request
        request.write = number
        pending[id.rawValue] = request
        see(.received(host, id, request))
        let moment = host.clock.moment(at: now)
        let peers = host.own?.node.peerReports(at: moment) ?? []
        var batch = Batch()
        Delivery.put(.client(client), id, isFromGo: false, into: &batch)
        writing = Writing(
            number: number, kind: kind, key: key, before: before, wall: moment.wall, host: host,
            peers: peers, holders: holders)
        step(host, batch)
    }

    /// The connection of this very poll is closed; a later one may be open.
    private func left(_ watcher: Int, _ serial: Int, _ host: Host) {
        guard let held = heldPolls[watcher], held.serial == serial,
            let request = pending[held.request], request.host == host.index,
            request.incarnation == host.incarnation
        else { return }
        heldPolls[watcher] = nil
        pending[held.request] = nil
        var batch = Batch()
        batch.inputs.append(.clientLeft(RequestID(held.request)))
        step(host, batch)
    }

    private func answer(_ id: RequestID, _ answer: Answer, _ host: Host) {
        guard let request = pending.removeValue(forKey: id.rawValue) else {
            return see(.answeredUnasked(host, id))
        }
        let code = Delivery.code(answer)
        trace.fold(id.rawValue)
        trace.fold(Int64(code))
        see(.answered(host, id, request, answer))
        if let number = request.write, code == 0 { acknowledge(number, request, host) }
        switch request.request {
        case .peer(let peer):
            let wall = host.clock.moment(at: now).wall
            reply(
                to: request.sender, from: host,
                Delivery.reply(
                    answer, to: peer, from: host.own?.id ?? NodeID(0), wall: wall),
                .failed)
        case .client:
            reply(
                to: request.sender, from: host, PeerReply(node: nil, outcome: .failed("")),
                ClientAnswer(
                    code: code, seen: World.seen(answer), incarnation: request.incarnation))
        case .left: break
        }
    }

    private static func seen(_ answer: Answer) -> ClientAnswer.Seen? {
        guard case .polledMany(let views, missing: _) = answer, let view = views.first else {
            return nil
        }
        return ClientAnswer.Seen(
            latest: view.latest, signature: Names.signature(view),
            isEmpty: view.instanceCount == 0)
    }
}
