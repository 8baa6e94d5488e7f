import DiscoveryCore

/// What providers do, one thing at a time.
extension World {
    private static let answerWait = 3 * Duration.second

    /// Each client draws from its own stream, so that with fewer of them the others do the same.
    func makeClients() {
        for index in 0..<options.providers {
            var random = SplitMix64(seed: options.seed, stream: 1_000 + UInt64(index))
            let home = random.number(0...options.nodes.count - 1)
            // A few register in another zone than that of the node they ask, which nodes of the
            // reference's kind do not renew there.
            let isAstray = random.chance(50) && options.goNodes.isEmpty
            let zone = isAstray ? random.number(0...options.nodes.count - 1) : home
            let app = random.number(0...options.apps - 1)
            let near = hosts.filter { $0.zone == home }
            var provider = Provider(
                index: index, app: app,
                key: Names.instance(app: app, zone: Host.zoneName(zone), provider: index),
                host: near[random.number(0...near.count - 1)].index, random: random)
            provider.nextChange = provider.random.time(0...10 * Duration.second)
            providers.append(provider)
            if !options.isQuiet { wake(index, at: provider.nextChange) }
        }
        for index in 0..<options.watchers {
            var random = SplitMix64(seed: options.seed, stream: 2_000 + UInt64(index))
            let isFiltered = random.chance(200)
            let zone = random.number(0...options.nodes.count - 1)
            let own = hosts.filter { !$0.isGo }
            watchers.append(
                Watcher(
                    index: index, app: random.number(0...options.apps - 1),
                    zone: isFiltered ? Host.zoneName(zone) : "",
                    resetsOnSwitch: random.chance(700),
                    host: own[random.number(0...own.count - 1)].index, random: random))
            heldPolls.append(nil)
            queue.push(.watcher(index, serial: 0), at: random.time(0...5 * Duration.second))
        }
    }

    private var renewalInterval: Int64 { options.lease / 3 }

    private func wake(_ index: Int, at time: Int64) {
        queue.push(.provider(index, serial: providers[index].serial), at: time)
    }

    func providerWoke(_ index: Int, _ serial: Int) {
        guard providers[index].serial == serial else { return }
        if let operation = providers[index].operation {
            if providers[index].isWaiting { return failed(index) }
            return perform(index, operation)
        }
        if phase == .faults, !options.isQuiet, now >= providers[index].nextChange {
            providers[index].nextChange =
                now + providers[index].random.time(1...2 * options.changeInterval)
            return change(index)
        }
        if providers[index].state == .alive { return perform(index, .renew) }
        rest(index)
    }

    /// Something new, of its own accord.
    private func change(_ index: Int) {
        guard providers[index].state == .alive else { return act(index, .register) }
        switch providers[index].random.number(0...9) {
        case 0...2: act(index, .change)
        case 3...4: act(index, .set)
        case 5...6: act(index, .cancel)
        case 7: act(index, .die)
        case 8: act(index, .move(to: providers[index].random.number(0...hosts.count - 1)))
        default: perform(index, .renew)
        }
    }

    func act(_ index: Int, _ action: Fault.Action) {
        trace.add(now, "p\(index)", "wants", "\(action)")
        switch action {
        case .register:
            providers[index].state = .alive
            providers[index].revision += 1
            providers[index].status = .up
            perform(index, .register)
        case .change:
            providers[index].revision += 1
            perform(index, .register)
        case .cancel:
            providers[index].state = .cancelled
            perform(index, .cancel)
        case .set:
            providers[index].status = providers[index].status == .up ? .waiting : .up
            perform(index, .set)
        case .die:
            providers[index].state = .dead
            providers[index].operation = nil
            rest(index)
        case .move(let host):
            move(index, to: host)
            rest(index)
        }
    }

    private func perform(_ index: Int, _ operation: Provider.Operation) {
        providers[index].serial += 1
        providers[index].operation = operation
        providers[index].isWaiting = true
        let provider = providers[index]
        let request: ClientRequest =
            switch operation {
            case .register:
                .register(
                    Registration(
                        key: provider.key,
                        content: Names.content(provider: index, revision: provider.revision),
                        status: provider.status))
            case .renew: .renew(provider.key)
            case .set:
                .set(
                    Setting.Change(
                        key: provider.key, status: provider.status,
                        metadata: .merged([
                            .init(key: Array("set".utf8), value: Array("\(provider.serial)".utf8))
                        ])))
            case .cancel: .cancel(provider.key)
            }
        send(
            request, from: .provider(index, serial: provider.serial), to: hosts[provider.host])
        wake(index, at: now + World.answerWait)
    }

    func providerAnswered(_ index: Int, _ serial: Int, _ answer: ClientAnswer) {
        guard providers[index].serial == serial, let operation = providers[index].operation,
            providers[index].isWaiting
        else { return }
        trace.fold(Int64(answer.code))
        if answer.code != 0 {
            trace.add(now, "p\(index)", "told", "\(operation): \(answer.code)")
        }
        switch (operation, answer.code) {
        case (.cancel, 0), (.cancel, -404): rest(index)
        case (.set, 0): rest(index)
        case (_, 0):
            providers[index].failures = 0
            providers[index].lastRenewal = now
            rest(index)
        case (.renew, -404), (.set, -400), (.set, -404):
            providers[index].state == .alive ? perform(index, .register) : rest(index)
        default: failed(index)
        }
    }

    /// Tries again at another node.
    private func failed(_ index: Int) {
        providers[index].serial += 1
        providers[index].isWaiting = false
        providers[index].failures += 1
        if providers[index].state == .cancelled, providers[index].failures > 5 {
            return rest(index)
        }
        move(index, to: (providers[index].host + 1) % hosts.count)
        wake(index, at: now + providers[index].random.time(100...1_000) * Duration.millisecond)
    }

    /// To this node, or the next that will do: nodes of the reference's kind do not pass on the
    /// renewals of what is registered in another zone than theirs.
    private func move(_ index: Int, to host: Int) {
        let home = hosts[providers[index].host].zone
        var host = host
        while !options.goNodes.isEmpty, hosts[host].zone != home { host = (host + 1) % hosts.count }
        providers[index].host = host
    }

    private func rest(_ index: Int) {
        providers[index].serial += 1
        providers[index].operation = nil
        providers[index].isWaiting = false
        var next = phase == .faults && !options.isQuiet ? providers[index].nextChange : .max
        if providers[index].state == .alive {
            let jitter = providers[index].random.time(0...renewalInterval / 10)
            next = min(next, providers[index].lastRenewal + renewalInterval - jitter)
        }
        if next < .max { wake(index, at: max(now + Duration.millisecond, next)) }
    }
}
