import DiscoveryCore

/// What consumers do: they poll, and poll again with what they got.
extension World {
    func watcherWoke(_ index: Int, _ serial: Int) {
        guard watchers[index].serial == serial else { return }
        if watchers[index].isPolling {
            // It gives up, with or without a reason, and the node hears of it.
            watchers[index].isPolling = false
            queue.push(
                .arrived(
                    host: watchers[index].host,
                    Message(sender: .watcherLeft(index, serial: serial), content: .left)),
                at: now + Duration.millisecond)
            if !hosts[watchers[index].host].isServing { move(index) }
        }
        poll(index)
    }

    private func poll(_ index: Int) {
        watchers[index].serial += 1
        watchers[index].isPolling = true
        let watcher = watchers[index]
        send(
            .poll(
                app: watcher.app, latest: watcher.latest, zone: watcher.zone,
                hold: options.pollHold),
            from: .watcher(index, serial: watcher.serial), to: hosts[watcher.host])
        trace.add(
            now, "w\(index)", "polls",
            "app.\(watcher.app) \(watcher.zone) \(Trace.version(watcher.latest))"
                + " at \(hosts[watcher.host].name)")
        let isImpatient = phase == .faults && watchers[index].random.chance(50)
        let patience =
            isImpatient
            ? watchers[index].random.time(0...options.pollHold)
            : options.pollHold + 3 * Duration.second
        queue.push(.watcher(index, serial: watcher.serial), at: now + patience)
    }

    func watcherAnswered(_ index: Int, _ serial: Int, _ answer: ClientAnswer) {
        guard watchers[index].serial == serial, watchers[index].isPolling else { return }
        watchers[index].serial += 1
        watchers[index].isPolling = false
        watchers[index].answers += 1
        var pause = watchers[index].random.time(0...20 * Duration.millisecond)
        switch (answer.code, answer.seen) {
        case (0, let seen?):
            trace.fold(seen.latest)
            trace.add(
                now, "w\(index)", "sees",
                "app.\(watchers[index].app) \(Trace.version(seen.latest))"
                    + " from \(hosts[watchers[index].host].name)")
            watchers[index].latest = seen.latest
            watchers[index].signature = seen.signature
            watchers[index].source = (watchers[index].host, answer.incarnation)
        case (-304, _):
            trace.add(now, "w\(index)", "told", "nothing new")
        default:
            trace.add(now, "w\(index)", "told", "\(answer.code)")
            pause = watchers[index].random.time(200...500) * Duration.millisecond
            move(index)
        }
        queue.push(.watcher(index, serial: watchers[index].serial), at: now + pause)
    }

    /// To the next node of ours.
    private func move(_ index: Int) {
        var next = watchers[index].host
        repeat { next = (next + 1) % hosts.count } while hosts[next].isGo
        watchers[index].host = next
        if watchers[index].resetsOnSwitch { watchers[index].latest = 0 }
    }
}
