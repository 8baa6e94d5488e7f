internal import Logging

/// What this program has in the registry.
extension DiscoveryClient {
    /// Registers an instance of this program, and keeps it registered while `run` runs: it is
    /// renewed, and registered again if the registry has lost it. Registering an app again replaces
    /// what was registered. Throws if no node takes it, or the client has ended.
    public func register(_ registration: Registration) async throws {
        let appID = registration.appID
        try await inTurn(appID) {
            if isLeaving { throw DiscoveryError.ended }
            // Until a node has said what became of it, it may have been taken.
            var isUncertain = !doubtful.insert(appID).inserted
            do {
                try await ask(
                    { try await $0.register(registration, at: $1) },
                    orElse: {
                        isUncertain = true
                        // What it is to replace is said again.
                        registrations[appID]?.isUnsettled = true
                    })
            } catch let error as DiscoveryError {
                if case .refused = error, !isUncertain { doubtful.remove(appID) }
                throw error
            }
            doubtful.remove(appID)
            registrationCount += 1
            registrations[appID] = Held(registration: registration, number: registrationCount)
            kept.continuation.yield(Kept(appID: appID, number: registrationCount))
        }
        logger.info("registered", metadata: ["appid": "\(appID)"])
        // It was on its way when the client began to leave.
        if isLeaving {
            await leave(appID)
            throw DiscoveryError.ended
        }
    }

    /// Changes status or metadata of what this program has registered: metadata is laid over what
    /// is there. If it throws, what was there before stays: should a node have taken the change
    /// without an answer, it is taken back with the next renewal.
    public func set(
        _ appID: String, status: InstanceStatus? = nil, metadata: [String: String]? = nil
    ) async throws {
        try await inTurn(appID) {
            guard let before = registrations[appID] else {
                throw DiscoveryError.notRegistered(appID: appID)
            }
            var changed = before.registration
            if let status { changed.status = status }
            for (key, value) in metadata ?? [:] { changed.metadata[key] = value }
            var isSaidWhole = false
            do {
                try await ask(
                    { try await $0.set(appID, status: status, metadata: metadata, at: $1) },
                    orElse: { registrations[appID]?.isUnsettled = true })
            } catch DiscoveryError.refused(let code, let message) {
                // It may only not know the instance any more: then all of it is said.
                let wasUnsettled = registrations[appID]?.isUnsettled ?? false
                registrations[appID]?.isUnsettled = true
                guard try await renew(changed) else {
                    registrations[appID]?.isUnsettled = wasUnsettled
                    throw DiscoveryError.refused(code: code, message: message)
                }
                isSaidWhole = true
            }
            // What is registered again, should the registry have lost it.
            registrations[appID]?.registration = changed
            // It says nothing about addresses, nor about metadata that is not to be there.
            registrations[appID]?.isUnsettled = before.isUnsettled && !isSaidWhole
        }
    }

    /// Takes an instance of this program out of the registry. Throws if no node answers; it is
    /// renewed no more in any case, so its lease ends it.
    public func cancel(_ appID: String) async throws {
        try await inTurn(appID) {
            guard registrations.removeValue(forKey: appID) != nil else {
                throw DiscoveryError.notRegistered(appID: appID)
            }
            // If no node is told now, one may be at the end.
            doubtful.insert(appID)
            try await ask(accepting: [-404], { try await $0.cancel(appID, at: $1) })
            doubtful.remove(appID)
        }
        logger.info("cancelled", metadata: ["appid": "\(appID)"])
    }

    /// Asks one node after the other until one answers what it is asked, or that it is wrong. Once
    /// the client leaves nothing is asked any more but what `isLast`: it waits for its turn.
    /// `noteDoubt` is called when it is unknown what became of the question at a node.
    private func ask(
        accepting codes: [Int] = [], isLast: Bool = false,
        _ question: (RegistryAPI, String) async throws -> RegistryAnswer,
        orElse noteDoubt: () -> Void = {}
    ) async throws {
        var reasons: [String: String] = [:]
        for node in nodes.all {
            if isLeaving, !isLast { throw DiscoveryError.ended }
            do {
                let answer = try await question(api, node)
                if answer.code == 0 || codes.contains(answer.code) { return }
                // Only the request can be wrong; the rest is a matter of this node.
                if answer.code == -400 || answer.code == -404 || answer.code == -403 {
                    throw DiscoveryError.refused(code: answer.code, message: answer.message)
                }
                reasons[node] = "code \(answer.code), \(answer.message)"
            } catch let error as DiscoveryError {
                throw error
            } catch {
                noteDoubt()
                try Task.checkCancellation()
                reasons[node] = "\(error)"
            }
            nodes.moveOn(from: node)
        }
        throw DiscoveryError.unreachable(reasons)
    }

    /// One task for each registration there ever was; those that were replaced end.
    func keepRegistrations() async {
        await withDiscardingTaskGroup { group in
            for await kept in kept.stream {
                group.addTask { await self.keep(kept.appID, kept.number) }
            }
        }
    }

    private func keep(_ appID: String, _ number: Int) async {
        var backoff = Backoff()
        var pause = renewalPause()
        while registrations[appID]?.number == number {
            do { try await Task.sleep(for: pause) } catch { return }
            do {
                try await inTurn(appID) {
                    // What it is by now; nothing if it was cancelled or replaced meanwhile.
                    guard let held = registrations[appID], held.number == number else { return }
                    if held.isUnsettled {
                        try await ask({ try await $0.register(held.registration, at: $1) })
                        registrations[appID]?.isUnsettled = false
                    } else {
                        _ = try await renew(held.registration)
                    }
                }
                backoff.reset()
                pause = renewalPause()
            } catch is CancellationError {
                return
            } catch {
                pause = min(backoff.pause(using: &random), renewalPause())
                logger.warning(
                    "not renewed; tried again soon",
                    metadata: ["appid": "\(appID)", "reason": "\(error)"])
            }
        }
    }

    private func renewalPause() -> Duration {
        configuration.renewInterval * Double.random(in: 0.9...1, using: &random)
    }

    /// Whether it had to be registered again: the registry had lost it, or never had it.
    private func renew(_ registration: Registration) async throws -> Bool {
        do {
            try await ask({ try await $0.renew(registration.appID, at: $1) })
            return false
        } catch DiscoveryError.refused(code: -404, _) {
            try await ask({ try await $0.register(registration, at: $1) })
            logger.notice("registered again", metadata: ["appid": "\(registration.appID)"])
            return true
        }
    }

    // MARK: The end

    func leave() async {
        let registered = Set(registrations.keys).union(doubtful)
        if registered.isEmpty { return }
        let time = configuration.leaveTimeout
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await withDiscardingTaskGroup { cancels in
                    for appID in registered {
                        cancels.addTask { await self.leave(appID) }
                    }
                }
                return true
            }
            group.addTask {
                do { try await Task.sleep(for: time) } catch {}
                return false
            }
            if await group.next() == false {
                logger.warning("not all is cancelled: leases will end the rest")
            }
            group.cancelAll()
        }
        do { try await Task.sleep(for: configuration.drainTime) } catch {}
    }

    private func leave(_ appID: String) async {
        do {
            try await inTurn(appID) {
                registrations[appID] = nil
                try await ask(
                    accepting: [-404], isLast: true, { try await $0.cancel(appID, at: $1) })
            }
            logger.info("cancelled", metadata: ["appid": "\(appID)"])
        } catch {
            logger.warning(
                "not cancelled: its lease will end it",
                metadata: ["appid": "\(appID)", "reason": "\(error)"])
        }
    }

    /// One write of an app at a time, in the order they were asked for: or a renewal that was on
    /// its way would bring back what was cancelled meanwhile. Whoever is cancelled waits no longer.
    private func inTurn<Result>(
        _ appID: String, _ write: () async throws -> Result
    ) async throws -> Result {
        if busy.contains(appID) {
            try await waitForTurn(appID)
        } else {
            busy.insert(appID)
        }
        defer {
            // Handed over, so that nobody comes between.
            if var waiting = turns[appID], !waiting.isEmpty {
                let next = waiting.removeFirst()
                turns[appID] = waiting.isEmpty ? nil : waiting
                next.continuation.resume()
            } else {
                busy.remove(appID)
            }
        }
        return try await write()
    }

    private func waitForTurn(_ appID: String) async throws {
        turnCount += 1
        let number = turnCount
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation {
                (continuation: CheckedContinuation<Void, any Error>) in
                if Task.isCancelled {
                    continuation.resume(throwing: CancellationError())
                } else {
                    turns[appID, default: []].append(
                        Turn(number: number, continuation: continuation))
                }
            }
        } onCancel: {
            Task { await self.giveUpTurn(number, of: appID) }
        }
    }

    /// Does nothing if its turn has come already.
    private func giveUpTurn(_ number: Int, of appID: String) {
        guard var waiting = turns[appID],
            let place = waiting.firstIndex(where: { $0.number == number })
        else { return }
        let turn = waiting.remove(at: place)
        turns[appID] = waiting.isEmpty ? nil : waiting
        turn.continuation.resume(throwing: CancellationError())
    }
}
