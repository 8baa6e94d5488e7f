/// What came of the calls to other nodes.
extension Node {
    mutating func peerReplied(
        _ call: UInt64, _ reply: PeerReply, at now: Moment, _ effects: inout [Effect]
    ) {
        guard let purpose = cluster.calls.removeValue(forKey: call) else { return }
        guard let peer = cluster.peers.index(of: purpose.peer) else {
            // Forgotten meanwhile, its link with it; but who asked for a `set` still waits.
            if case .forward(_, let forward) = purpose {
                forwarded(forward, reply, from: nil, at: now, &effects)
            }
            return
        }
        switch purpose {
        case .link(_, let link):
            guard let (index, flight) = takeFlight(call, from: link) else { return }
            landed(flight, on: index, reply, from: peer, at: now, &effects)
            judge(peer, purpose, reply, at: now, &effects)
        case .session:
            guard cluster.peers[peer].sessionCall == call else { return }
            cluster.peers[peer].sessionCall = nil
            judge(peer, purpose, reply, at: now, &effects)
            continueSession(of: peer, reply, at: now, &effects)
        case .forward(_, let forward):
            judge(peer, purpose, reply, at: now, &effects)
            forwarded(forward, reply, from: peer, at: now, &effects)
        }
    }

    /// What the answer says about whoever gave it. Of a node that was lost since it was asked it
    /// says nothing: that one is found by a probe, or whatever loses it would be tried again and
    /// again without a pause.
    private mutating func judge(
        _ peer: Int, _ purpose: Cluster.Purpose, _ reply: PeerReply, at now: Moment,
        _ effects: inout [Effect]
    ) {
        switch reply.outcome {
        case .failed(let reason), .unable(let reason):
            if isTelling(purpose, peer) {
                lose(peer, reason, at: now, &effects)
            } else {
                doubt(peer, at: now)
            }
        case .forbidden(let reason): shutOut(by: peer, reason, at: now, &effects)
        case .refused, .answered, .all, .exchanged:
            if case .forward = purpose, cluster.peers[peer].health == .lost { return }
            hear(peer, purpose, reply, at: now, &effects)
        }
    }

    /// Whether its failing tells that the node is not there. What asks for much may fail where the
    /// node is only slow; a probe tells.
    private func isTelling(_ purpose: Cluster.Purpose, _ peer: Int) -> Bool {
        switch purpose {
        case .link: true
        case .session:
            cluster.peers[peer].session.isProbing || cluster.peers[peer].health != .healthy
        case .forward: false
        }
    }

    // MARK: Writes

    /// Nil if it was abandoned: its node was lost meanwhile.
    private mutating func takeFlight(
        _ call: UInt64, from number: UInt32
    ) -> (link: Int, flight: Link.Flight)? {
        guard let link = cluster.linkIndex(of: number),
            let index = cluster.links[link].flights.firstIndex(where: { $0.call == call })
        else { return nil }
        return (link, cluster.links[link].flights.remove(at: index))
    }

    /// A batch or a relayed write was answered, or was not.
    private mutating func landed(
        _ flight: Link.Flight, on link: Int, _ reply: PeerReply, from peer: Int, at now: Moment,
        _ effects: inout [Effect]
    ) {
        switch reply.outcome {
        case .failed, .forbidden: putBack(flight, on: link, at: now.monotonic, &effects)
        case .unable(let sentence): retry(flight, on: link, peer, sentence, at: now, &effects)
        case .refused(let sentence): refused(flight, on: link, peer, sentence, at: now, &effects)
        case .exchanged(.changes(let wanted, let newer)):
            acknowledge(flight.writes.flatMap(\.write.waiting), &effects)
            endDoubts(of: link)
            if let changes = flight.changes { want(wanted, of: changes, on: link, at: now) }
            for record in newer { adopt(record, from: link, at: now, &effects) }
        case .answered(let code, let record):
            relayed(flight, on: link, peer, code, record, at: now, &effects)
        case .all, .exchanged:
            refused(flight, on: link, peer, "an answer to another question", at: now, &effects)
        }
    }

    /// The node holds another version of what it was told to renew.
    private mutating func want(
        _ wanted: [UInt32], of changes: Changes, on link: Int, at now: Moment
    ) {
        for index in wanted where Int(index) < changes.renewals.count {
            let key = changes.key(of: changes.renewals[Int(index)])
            cluster.links[link].outbox.append(key, since: now.monotonic)
        }
    }

    /// The node's own version is newer than what it was told.
    private mutating func adopt(
        _ record: Record, from link: Int, at now: Moment, _ effects: inout [Effect]
    ) {
        let origin: Origin = cluster.links[link].isSameZone ? .peer : .zone
        switch merge(record, at: now, &effects) {
        case .taken:
            statistics.conflicts += 1
            relay([record.key], from: origin, at: now)
        case .stale: cluster.links[link].outbox.append(record.key, since: now.monotonic)
        case .same:
            guard case .registered(let state) = record.state else { return }
            extendLease(of: record.key, silence: state.silence, from: origin, at: now)
        case .refused: break
        }
    }

    /// The outcome of one relayed write, as nodes of the reference answer it.
    private mutating func relayed(
        _ flight: Link.Flight, on link: Int, _ peer: Int, _ code: Int, _ record: Record?,
        at now: Moment, _ effects: inout [Effect]
    ) {
        if let key = flight.renewed {
            if code == -404 { cluster.links[link].outbox.append(key, since: now.monotonic) }
            if code == -409, let record { adopt(record, from: link, at: now, &effects) }
            return
        }
        for (key, write) in flight.writes {
            let isUnknown = code == -404 || code == -400
            if write.set != nil, isUnknown {
                // It does not know the instance: a register brings all of it, and is what the
                // answer waits for now.
                cluster.links[link].outbox.append(
                    key, waiting: write.waiting, since: write.since)
                continue
            }
            acknowledge(write.waiting, &effects)
            if code != 0, code != -404 {
                cluster.peers[peer].statistics.refused += 1
                tellRefusal(peer, key, "code \(code)", &effects, at: now)
            }
        }
    }

    /// Nothing of it arrived, or nobody knows: it is told again. Renewals say how old they are, so
    /// those of a long absence keep the leases right as well.
    mutating func putBack(
        _ flight: Link.Flight, on link: Int, at now: Int64, _ effects: inout [Effect]
    ) {
        for (key, var write) in flight.writes {
            acknowledge(write.waiting, &effects)
            write.waiting = []
            if flight.isDoubted {
                cluster.links[link].doubted.append(key, write)
            } else {
                cluster.links[link].outbox.append(key, write)
            }
        }
        for renewal in flight.changes?.renewals ?? [] {
            let key = flight.changes?.bytes.span.extracting(renewal.key.range)
            if let key, let slot = registry.find(key) {
                cluster.links[link].outbox.renew(slot, at: now)
            }
        }
        if let key = flight.renewed, let slot = registry.find(key.packed.span) {
            cluster.links[link].outbox.renew(slot, at: now)
        }
        if let contact = cluster.links[link].contact,
            let peer = cluster.peers.index(of: contact)
        {
            cluster.peers[peer].statistics.retries += flight.writes.count
        }
    }

    /// It could not: maybe later. A node of the reference that cannot take one write takes the
    /// others all the same, so that one is given up some time.
    private mutating func retry(
        _ flight: Link.Flight, on link: Int, _ peer: Int, _ sentence: String, at now: Moment,
        _ effects: inout [Effect]
    ) {
        var flight = flight
        for index in flight.writes.indices { flight.writes[index].write.attempts += 1 }
        if cluster.peers[peer].kind == .reference {
            // The client's next renewal comes anyway.
            flight.renewed = nil
        }
        let isVain = flight.writes.contains { $0.write.attempts >= Node.attemptsMax }
        if isVain, cluster.peers[peer].kind == .reference {
            refused(flight, on: link, peer, sentence, at: now, &effects)
        } else {
            putBack(flight, on: link, at: now.monotonic, &effects)
        }
    }

    private static let attemptsMax = 5

    /// The request itself was not taken: without one of its writes it may be.
    private mutating func refused(
        _ flight: Link.Flight, on link: Int, _ peer: Int, _ sentence: String, at now: Moment,
        _ effects: inout [Effect]
    ) {
        let renewals = flight.changes?.renewals ?? []
        if flight.writes.count + renewals.count > 1, !flight.writes.isEmpty {
            let count = min(cluster.links[link].doubtedMax, flight.writes.count)
            cluster.links[link].doubtedMax = max(1, count / 2)
            var flight = flight
            flight.isDoubted = true
            putBack(flight, on: link, at: now.monotonic, &effects)
            return
        }
        // Of renewals alone none is at fault: the next ones come in half a minute.
        acknowledge(flight.writes.flatMap(\.write.waiting), &effects)
        cluster.peers[peer].statistics.refused += 1
        endDoubts(of: link)
        let renewal = flight.changes.flatMap { changes in
            changes.renewals.first.map { changes.key(of: $0) }
        }
        if let key = flight.writes.first?.key ?? flight.renewed ?? renewal {
            tellRefusal(peer, key, sentence, &effects, at: now)
        }
    }

    private mutating func endDoubts(of link: Int) {
        if !cluster.links[link].doubted.isEmpty { return }
        cluster.links[link].doubtedMax = cluster.settings.batchCountMax
    }

    private mutating func tellRefusal(
        _ peer: Int, _ key: InstanceKey, _ reason: String, _ effects: inout [Effect],
        at now: Moment
    ) {
        let address = cluster.peers[peer].address
        if limitNotes.isNews("relay \(address)", at: now.monotonic) {
            effects.append(.note(.relayRefused(key, address, reason: reason)))
        }
    }

    // MARK: Sets of what others hold

    /// Asks everybody for a `set` of instances that are not here, and answers by what they say.
    mutating func forward(
        _ id: RequestID, _ setting: Setting, refusal: String, at now: Moment,
        _ effects: inout [Effect]
    ) {
        let contacts = cluster.links.indices.compactMap { link in
            cluster.healthyContact(of: link).map { (link, $0) }
        }
        if contacts.isEmpty {
            effects.append(.answer(id, .refused(.invalid, refusal)))
            return
        }
        if cluster.forwards.count >= Node.forwardsMax {
            let answer = refuse("sets asked of other nodes", Node.forwardsMax, at: now, &effects)
            effects.append(.answer(id, answer))
            return
        }
        let number = cluster.nextAwaited()
        cluster.forwards[number] = Cluster.Forward(
            request: id, missing: contacts.count, refusal: refusal)
        for (link, peer) in contacts {
            let call = cluster.nextCall(
                .forward(peer: cluster.peers[peer].number, forward: number))
            let request = PeerRequest.set(
                setting.changes, version: 0, isSameZone: cluster.links[link].isSameZone)
            send(call, request, to: peer, &effects)
        }
    }

    /// Each is a call to every node. Few are ever under way, but a client that sets what nobody
    /// holds is not to take the connections from everything else.
    static let forwardsMax = 64

    private mutating func forwarded(
        _ number: UInt64, _ reply: PeerReply, from peer: Int?, at now: Moment,
        _ effects: inout [Effect]
    ) {
        guard var forward = cluster.forwards[number] else { return }
        if case .answered(code: 0, _) = reply.outcome {
            cluster.forwards[number] = nil
            effects.append(.answer(forward.request, .done))
            // What it holds is fetched at once instead of at the next comparison.
            if let peer { compareSoon(with: peer, at: now.monotonic) }
            return
        }
        forward.missing -= 1
        if forward.missing > 0 {
            cluster.forwards[number] = forward
            return
        }
        cluster.forwards[number] = nil
        effects.append(.answer(forward.request, .refused(.invalid, forward.refusal)))
    }
}
