import DiscoveryCore

/// An application's `latest_timestamp` grows with every change of its content, and goes with one
/// content only, whichever node tells it; no poll is told what it has.
final class TimestampChecker: Checker {
    let name = "timestamps"

    private struct Known {
        var latest: Int64
        var signature: UInt64
        var incarnation: Int
    }

    private struct Place: Hashable {
        let host: Int
        let app: Int
        let zone: String
    }

    private struct Name: Hashable {
        let app: Int
        let latest: Int64
    }

    private struct Told: Hashable {
        let name: Name
        let zone: String
    }

    private var known: [Place: Known] = [:]
    /// What was told under a timestamp, and by whom.
    private var named: [Told: (signature: UInt64, host: Int)] = [:]
    /// Sixteen bits tell contents apart: that two have the same ones by chance is seen in a run in
    /// some twenty thousand, twice in none. Without them it happens again and again.
    private var coincidences: Set<Name> = []

    func see(_ sight: Sight, _ world: World) -> String? {
        if case .stopped(let host) = sight { remember(host, world) }
        guard case .answered(let host, _, let request, .polledMany(let views, missing: _)) = sight,
            case .client(.poll(let app, let latest, let zone, hold: _)) = request.request,
            let view = views.first
        else { return nil }
        // What came from another node may be ahead; then a change tells it of what is behind.
        let isOwn = isFromHere(request.sender, host, world)
        if view.latest <= latest, isOwn || request.step == world.stepCount {
            return "\(host.name) told a poll of app.\(app) what it had: asked with "
                + "\(Trace.version(latest)), got \(Trace.version(view.latest))"
        }
        return grows(Place(host: host.index, app: app, zone: zone), view, host, world)
            ?? names(
                Told(name: Name(app: app, latest: view.latest), zone: zone), view, host, world)
    }

    /// Nodes of the reference keep no timestamps: beside them it is luck.
    private func names(
        _ told: Told, _ view: AppView, _ host: Host, _ world: World
    ) -> String? {
        if world.hosts.contains(where: \.isGo) { return nil }
        let signature = Names.signature(view)
        guard let before = named[told], before.signature != signature else {
            named[told] = (signature, host.index)
            return nil
        }
        coincidences.insert(told.name)
        if coincidences.count < 2 { return nil }
        return "\(host.name), app.\(told.name.app): \(Trace.version(told.name.latest)) for another "
            + "content than at \(world.hosts[before.host].name)"
    }

    /// Whether the timestamp that the poll has came from this very process.
    private func isFromHere(
        _ sender: Message.Sender, _ host: Host, _ world: World
    ) -> Bool {
        guard case .watcher(let index, let serial) = sender,
            world.watchers[index].serial == serial, let source = world.watchers[index].source
        else { return false }
        return source.host == host.index && source.incarnation == host.incarnation
    }

    private func grows(_ place: Place, _ view: AppView, _ host: Host, _ world: World) -> String? {
        let now = Known(
            latest: view.latest, signature: Names.signature(view), incarnation: host.incarnation)
        defer { known[place] = now }
        guard let before = known[place] else { return nil }
        let what =
            "\(host.name), app.\(place.app): \(Trace.version(before.latest)), then "
            + Trace.version(now.latest)
        if before.incarnation != now.incarnation {
            let isLost = now.latest < before.latest && !mayForget(place, world)
            return isLost ? "went back over a restart: \(what)" : nil
        }
        if now.latest < before.latest { return "went back: \(what)" }
        if now.latest == before.latest, now.signature != before.signature {
            return "the same for two contents: \(what)"
        }
        return nil
    }

    /// Processes that had the same timestamp, or a higher one, when a host's process ended.
    private var witnesses: [Place: [(host: Int, incarnation: Int)]] = [:]

    private func remember(_ ended: Host, _ world: World) {
        for app in 0..<world.options.apps {
            let told = known.filter { $0.key.host == ended.index && $0.key.app == app }
            guard let latest = told.values.map(\.latest).max() else { continue }
            let place = Place(host: ended.index, app: app, zone: "")
            witnesses[place] = world.hosts.compactMap { host in
                let held = world.look(at: Names.app(app), on: host)?.latest ?? .min
                return held >= latest ? (host.index, host.incarnation) : nil
            }
        }
    }

    /// A node remembers nothing itself. What only processes knew that are gone is forgotten, and
    /// while the network is torn a node need not find the one that knows. The clock alone tells a
    /// node whose peers are all of the reference's kind, which keep no timestamps.
    private func mayForget(_ place: Place, _ world: World) -> Bool {
        if world.hosts.count(where: { !$0.isGo }) == 1 {
            let clocks: [FaultKind] = [.skew, .wallSteps, .drift]
            return clocks.contains(where: world.options.faults.contains)
        }
        guard world.phase == .settled else { return true }
        let witnesses = witnesses[Place(host: place.host, app: place.app, zone: "")] ?? []
        return !witnesses.contains {
            world.hosts[$0.host].isRunning && world.hosts[$0.host].incarnation == $0.incarnation
        }
    }
}
