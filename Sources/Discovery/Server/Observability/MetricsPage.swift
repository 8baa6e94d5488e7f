internal import DiscoveryCore
internal import DiscoveryHTTP

/// Everything `/metrics` shows, gathered and written. Any thread.
struct MetricsPage: Sendable {
    let identity: NodeIdentity
    let queue: NodeQueue
    let counts: [RequestCounts]
    /// The loops' own counters; empty until they run.
    let loops: @Sendable () -> [LoopStatistics]
    let scheduler: SchedulerWatch
    let log: LogQueue
    let libevent: String

    var text: String {
        var text = PrometheusText()
        writeBuild(&text)
        writeRequests(&text)
        let report = queue.report(at: Clocks.now)
        writeNode(report, &text)
        writePeers(report.peers, refused: report.peersRefused, &text)
        writeScheduler(scheduler.figures, &text)
        writeLoops(loops(), &text)
        writeLog(&text)
        writeProcess(ProcessFigures.read(), &text)
        return text.text
    }

    private func writeBuild(_ text: inout PrometheusText) {
        text.gauge(
            "discovery_build_info", help: "Always 1; the labels say what runs.",
            labels: [
                "version": Version.number, "libevent": libevent, "zone": identity.zone,
                "env": identity.env,
            ], 1)
    }

    private func writeRequests(_ text: inout PrometheusText) {
        var table = RequestTable()
        for counts in counts { table.merge(counts.read()) }
        for row in 0..<RequestTable.rows {
            let route = RequestTable.name(row: row)
            var byLabel: [String: UInt64] = [:]
            for code in ReplyCode.allCases {
                byLabel[code.label, default: 0] += table.count(row: row, code)
            }
            for (label, count) in byLabel where count > 0 {
                text.counter(
                    "discovery_requests_total",
                    help: "Answered requests by route and code of the answer.",
                    labels: ["route": route, "code": label], count)
            }
            if table.times[row].count > 0 {
                text.histogram(
                    "discovery_request_seconds",
                    help: "From reading a request to its reply; without the time a poll is held.",
                    labels: ["route": route], table.times[row])
            }
        }
    }

    private func writeNode(_ report: NodeReport, _ text: inout PrometheusText) {
        writeInstances(report.instances, &text)
        text.gauge(
            "discovery_apps_known", help: "Applications with instances or waiting polls.",
            report.applications)
        text.gauge("discovery_pollers", help: "Polls that are held.", report.waiters)
        text.gauge(
            "discovery_tombstones", help: "Cancels remembered against late writes.",
            report.tombstones)
        text.counter(
            "discovery_tombstones_dropped_total", help: "Tombstones that went before their time.",
            UInt64(report.tombstonesDropped))
        text.gauge(
            "discovery_instances_expected", help: "Instances that should be renewing.",
            report.expected)
        text.gauge(
            "discovery_instances_overdue", help: "Instances that missed renewals.", report.overdue)
        for (state, isSet) in [
            ("self_preservation", report.isSelfPreserving),
            ("startup", report.isProtectedAtStart), ("joining", report.isJoining),
            ("draining", report.isDraining),
        ] {
            text.gauge(
                "discovery_protected",
                help: "1 while the node holds evictions back, refuses reads, joins, or stops.",
                labels: ["state": state], isSet ? 1 : 0)
        }
        writeStatistics(report.statistics, &text)
    }

    /// Clients choose the names of envs and zones, so only so many become lines of their own.
    private static let placesMax = 1000

    private func writeInstances(_ census: Census, _ text: inout PrometheusText) {
        // The largest; of equals any.
        let places = census.counts.sorted { $0.value.total > $1.value.total }
        for (place, count) in places.prefix(MetricsPage.placesMax) {
            let env = String(decoding: place.env, as: UTF8.self)
            let zone = String(decoding: place.zone, as: UTF8.self)
            for (status, number) in [("up", count.up), ("waiting", count.waiting)] {
                text.gauge(
                    "discovery_instances", help: "Registered instances.",
                    labels: ["env": env, "zone": zone, "status": status], number)
            }
            text.gauge(
                "discovery_apps", help: "Applications with instances.",
                labels: ["env": env, "zone": zone], count.apps)
        }
        text.gauge(
            "discovery_instances_unlisted",
            help: "Registered instances in all envs and zones beyond the largest "
                + "\(MetricsPage.placesMax).",
            places.dropFirst(MetricsPage.placesMax).reduce(0) { $0 + $1.value.total })
    }

    private func writeStatistics(_ statistics: NodeStatistics, _ text: inout PrometheusText) {
        for (kind, count) in [
            ("register", statistics.registrations), ("renew", statistics.renewals),
            ("cancel", statistics.cancels), ("set", statistics.sets),
        ] {
            text.counter(
                "discovery_writes_total", help: "Writes that reached the registry.",
                labels: ["kind": kind], UInt64(count))
        }
        for (reason, count) in [
            ("change", statistics.wokenByChange), ("timeout", statistics.wokenByTimeout),
            ("closed", statistics.wokenByHangUp), ("shutdown", statistics.wokenByDrain),
            ("at_once", statistics.answeredAtOnce),
        ] {
            text.counter(
                "discovery_poll_wake_total", help: "Polls that ended, by reason.",
                labels: ["reason": reason], UInt64(count))
        }
        writeExchanged(statistics, &text)
        text.counter(
            "discovery_evicted_total", help: "Instances whose lease ran out.",
            UInt64(statistics.evictions))
        text.counter(
            "discovery_limit_refusals_total", help: "Requests refused because of a limit.",
            UInt64(statistics.refusedByLimit))
    }

    private func writeLoops(_ loops: [LoopStatistics], _ text: inout PrometheusText) {
        for (index, loop) in loops.enumerated() {
            let label: PrometheusText.Labels = ["loop": "\(index)"]
            writeCalls(loop, index: index, &text)
            text.gauge(
                "discovery_connections", help: "Open connections.", labels: label,
                loop.connectionsOpen)
            text.counter(
                "discovery_connections_accepted_total", help: "Accepted connections.",
                labels: label, UInt64(loop.connectionsAccepted))
            text.counter(
                "discovery_loop_turns_total", help: "Turns of the event loop.", labels: label,
                UInt64(loop.turns))
            text.counter(
                "discovery_slow_replies_total",
                help: "Replies that the client did not take at once.", labels: label,
                UInt64(loop.slowReplies))
            text.gauge(
                "discovery_loop_lag_microseconds",
                help: "Longest turn since the last look: how long a request may have waited.",
                labels: label, Int(clamping: loop.turnNanosecondsMax / 1000))
            for (reason, count) in [
                ("connections_max", loop.pausesAtConnectionsMax),
                ("descriptors", loop.pausesWithoutDescriptors),
            ] {
                text.counter(
                    "discovery_accept_pauses_total", help: "Times that accepting was paused.",
                    labels: ["loop": "\(index)", "reason": reason], UInt64(count))
            }
        }
        for violation in Violation.allCases {
            let count = loops.reduce(0) { $0 + $1.rejections(violation) }
            text.counter(
                "discovery_malformed_requests_total",
                help: "Requests refused because of their frame, by reason.",
                labels: ["reason": "\(violation)"], UInt64(count))
        }
    }

    private func writeScheduler(
        _ figures: SchedulerWatch.Figures, _ text: inout PrometheusText
    ) {
        text.gauge(
            "discovery_schedules", help: "Schedules of zones in effect.", figures.schedules)
        text.gauge(
            "discovery_schedules_digest",
            help: "Equal on nodes with the same schedules in effect.", Int(figures.digest))
        text.gauge(
            "discovery_scheduler_problems",
            help: "Scheduler files, or their folder, that something is wrong with.",
            figures.problems)
    }

    private func writeLog(_ text: inout PrometheusText) {
        text.counter(
            "discovery_log_lines_dropped_total", help: "Log lines that nobody took.",
            log.droppedTotal)
    }

    private func writeProcess(_ process: ProcessFigures, _ text: inout PrometheusText) {
        text.gauge("process_open_fds", help: "Open file descriptors.", process.openFiles)
        text.gauge("process_max_fds", help: "File descriptors it may open.", process.openFilesMax)
        text.gauge(
            "process_resident_memory_bytes", help: "Resident memory.", process.residentBytes)
        text.counter(
            "process_cpu_milliseconds_total", help: "Processor time, user and system.",
            process.cpuMilliseconds)
    }
}

extension Census.Count {
    fileprivate var total: Int { up + waiting }
}
