import DiscoveryCore

/// What it answers, and what it passes on.
extension GoNode {
    func handle(_ id: RequestID, _ content: Message.Content, at now: Moment) {
        switch content {
        case .left: break
        case .client(let request): handle(id, request, at: now)
        case .peer(let request):
            switch request {
            case .probe where isProtected(at: now), .fetchAll where isProtected(at: now):
                answer(id, Reply(code: -500))
            case .probe: answer(id, Reply(code: 0))
            case .fetchAll:
                answer(id, Reply(code: 0, all: sortedKeys.compactMap { record($0, at: now) }))
            case .relay(let relay): handle(id, relay, at: now)
            case .set(let changes, let version, let isSameZone):
                set(
                    id, changes, version: version, replicates: !isSameZone, isOnlyOwnZone: true,
                    at: now)
            // An unknown path.
            case .exchange: answer(id, Reply(code: 404))
            }
        }
    }

    private func isProtected(at now: Moment) -> Bool { now.monotonic < protectedUntil }

    private func handle(_ id: RequestID, _ request: ClientRequest, at now: Moment) {
        switch request {
        case .register(let registration):
            register(
                id, registration.key, registration.content, registration.status, dirty: now.wall,
                replicates: true, isOnlyOwnZone: false, at: now)
        case .renew(let key):
            guard renew(key, at: now) != nil else { return answer(id, Reply(code: -404)) }
            relay(id, key, .renew, isOnlyOwnZone: isForeign(key))
        case .cancel(let key): cancel(id, key, replicates: true)
        case .set(let change):
            set(
                id, [change], version: now.wall, replicates: true, isOnlyOwnZone: false, at: now)
        case .poll: answer(id, Reply(code: -304))
        }
    }

    private func handle(_ id: RequestID, _ relay: Relay, at now: Moment) {
        switch relay.write {
        case .register(let registered, latest: _):
            register(
                id, relay.key, registered.content, registered.status,
                dirty: relay.version > 0 ? relay.version : now.wall,
                replicates: !relay.isSameZone, isOnlyOwnZone: true, at: now)
        case .renew:
            guard let stored = renew(relay.key, at: now) else {
                return answer(id, Reply(code: -404))
            }
            guard relay.isSameZone else {
                return self.relay(id, relay.key, .renew, isOnlyOwnZone: isForeign(relay.key))
            }
            // Only now that it is renewed are the versions compared.
            let record = record(relay.key, at: now)
            if relay.version > stored.dirty { return answer(id, Reply(code: -404, record: record)) }
            if relay.version < stored.dirty { return answer(id, Reply(code: -409, record: record)) }
            answer(id, Reply(code: 0, record: record))
        // Whatever the version.
        case .cancel: cancel(id, relay.key, replicates: !relay.isSameZone)
        }
    }

    /// For renewals and cancels, what came from another zone is told by the zone they name.
    private func isForeign(_ key: InstanceKey) -> Bool {
        Array(key.packed[key.zone.range]) != Array(zone.utf8)
    }

    private func register(
        _ id: RequestID, _ key: InstanceKey, _ content: InstanceContent, _ status: InstanceStatus,
        dirty: Int64, replicates: Bool, isOnlyOwnZone: Bool, at now: Moment
    ) {
        _ = store(key, content, status, dirty: dirty, at: now)
        guard replicates else { return answer(id, Reply(code: 0)) }
        // What the caller sent, even if it was rejected a moment ago.
        replicate(
            id, key, .register, isOnlyOwnZone: isOnlyOwnZone, content, status, dirty,
            to: neighbours)
    }

    private func cancel(_ id: RequestID, _ key: InstanceKey, replicates: Bool) {
        guard let stored = remove(key) else { return answer(id, Reply(code: -404)) }
        guard replicates else { return answer(id, Reply(code: 0)) }
        // Without a version.
        replicate(
            id, key, .cancel, isOnlyOwnZone: isForeign(key), stored.content, stored.status, 0,
            to: neighbours)
    }

    private func set(
        _ id: RequestID, _ changes: [Setting.Change], version: Int64, replicates: Bool,
        isOnlyOwnZone: Bool, at now: Moment
    ) {
        var code = 0
        for change in changes {
            guard var stored = instances[change.key] else {
                code = -400
                break
            }
            if let status = change.status { stored.status = status }
            stored.content = change.metadata.laid(over: stored.content) ?? stored.content
            stored.dirty = version > 0 ? version : now.wall
            instances[change.key] = stored
        }
        guard replicates else { return answer(id, Reply(code: code)) }
        // Told to the others even if it failed here.
        waiting[id] = Waiting(calls: 1, code: code)
        for (address, isSameZone) in receivers(isOnlyOwnZone: isOnlyOwnZone, of: neighbours) {
            waiting[id]?.calls += 1
            call(
                .set(changes, version: version, isSameZone: isSameZone),
                Errand(request: id, address: address, isSameZone: isSameZone, isSet: true))
        }
        settle(id)
    }

    func answer(_ id: RequestID, _ reply: Reply) { acts.append(.answer(id, reply)) }
}
