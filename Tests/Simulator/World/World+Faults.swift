import DiscoveryCore

extension World {
    func apply(_ fault: Fault) {
        // What was planned to end later has ended with the heal.
        if phase != .faults {
            switch fault {
            case .start, .pause(_, isPaused: false), .act: break
            default: return
            }
        }
        switch fault {
        case .cut(let from, let to, let isCut):
            trace.add(
                now, hosts[from].name, isCut ? "cut" : "mended", "towards \(hosts[to].name)")
            network.cut(from: from, to: to, isCut: isCut)
        case .cutZone(let from, let to, let isCut):
            trace.add(
                now, Host.zoneName(from), isCut ? "cut" : "mended",
                "towards \(Host.zoneName(to))")
            network.cutZone(from: from, to: to, isCut: isCut)
        case .crash(let host): end(hosts[host])
        case .stop(let host): if !hosts[host].isPaused { stop(hosts[host]) }
        case .start(let host): start(hosts[host])
        case .pause(let host, let isPaused): pause(hosts[host], isPaused: isPaused)
        case .halfOpen(let host, let isHalfOpen):
            trace.add(now, hosts[host].name, isHalfOpen ? "half-open" : "whole", "")
            hosts[host].isHalfOpen = isHalfOpen
        case .slow(let host, let delay):
            trace.add(now, hosts[host].name, "slow", "by \(Trace.text(delay)) s")
            hosts[host].extraDelay = delay
        case .stepWall(let host, let step):
            trace.add(now, hosts[host].name, "clock", "steps by \(Trace.text(step)) s")
            hosts[host].clock.wallOffset += step
        case .schedule(let host, let app, let revision):
            rollOut(revision, of: app, to: hosts[host])
        case .act(let provider, let action): act(provider, action)
        }
    }

    /// An older revision that comes late is not put over a newer one.
    private func rollOut(_ revision: Int, of app: Int, to host: Host) {
        guard revision > host.schedules[app] ?? 0 else { return }
        host.schedules[app] = revision
        trace.add(now, host.name, "schedule", "of app.\(app), revision \(revision)")
        readSchedule(of: app, on: host)
    }

    /// A node that is paused finds the file once it goes on.
    func readSchedule(of app: Int, on host: Host) {
        if host.isPaused {
            return host.inbox.append(.fileChanged(host: host.index, app: app))
        }
        guard let own = host.own, let revision = host.schedules[app] else { return }
        let schedule = Names.schedule(revision: revision)
        if let held = own.node.held(Names.app(app)), held.schedule != schedule {
            lastChange = now
            see(.scheduled(host, Names.app(app)))
        }
        var batch = Batch()
        batch.inputs.append(.scheduled([Scheduled(app: Names.app(app), schedule: schedule)]))
        step(host, batch)
    }

    private func pause(_ host: Host, isPaused: Bool) {
        guard host.isRunning, host.isPaused != isPaused else { return }
        trace.add(now, host.name, isPaused ? "paused" : "resumed", "")
        host.isPaused = isPaused
        guard !isPaused else { return }
        let inbox = host.inbox
        host.inbox = []
        for event in inbox { handle(event) }
        host.tickAt = nil
        schedule(host)
    }
}
