internal import Logging

/// One poll at a time for `appsPerPoll` apps together.
extension DiscoveryClient {
    /// One of the polls.
    struct Poll {
        /// In the order they were first asked for.
        var appIDs: [String] = []
        var task: Task<RegistryAPI.Polled, any Error>?
        /// The node that gave the timestamps of its apps.
        var node: String?
        /// Whether somebody polls for them.
        var isRunning = false
        /// Nothing is added: a node has refused a larger one.
        var isClosed = false
    }

    /// A node takes 200 unless its operator has changed that.
    static let appsPerPoll = 100
    /// A node holds a poll without news; one that says much sooner than it was told that nothing
    /// has changed is not to be asked again at once.
    private static let heldAtLeast = Duration.seconds(1)
    /// So many changes one after the other are heard of at once; if that goes on, so often.
    private static let burst = 10
    private static let burstPause = Duration.milliseconds(50)
    /// After so long nodes of the own zone are looked for that had all failed, the first time.
    static let homePauseFirst = Duration.seconds(60)

    // MARK: What is polled for

    /// The app is polled for from now on: the poll under way is given up for one with the app.
    func follow(_ appID: String) {
        if apps[appID] != nil { return }
        guard RegistryAPI.isUsable(appID) else {
            // A node would refuse the whole poll, with all other apps in it.
            logger.error(
                "an app cannot be called this; it is not asked for", metadata: ["appid": "\(appID)"]
            )
            return
        }
        apps[appID] = App(appID: appID)
        let room = polls.firstIndex {
            !$0.isClosed && $0.appIDs.count < DiscoveryClient.appsPerPoll
        }
        if room == nil { polls.append(Poll()) }
        let number = room ?? polls.count - 1
        polls[number].appIDs.append(appID)
        polls[number].task?.cancel()
        start(number)
    }

    func start(_ number: Int) {
        if polls[number].isRunning { return }
        polls[number].isRunning = true
        begun.continuation.yield(number)
    }

    /// Apps that nobody has looked at for long are no longer followed.
    private func forgetUnused(_ number: Int) {
        let now = ContinuousClock.now
        // Nobody's list is taken away while there is no other.
        let mayForget = !isLost
        polls[number].appIDs.removeAll { appID in
            guard appID != DiscoveryClient.nodesAppID, let app = apps[appID] else { return false }
            if !app.isUnused { apps[appID]?.lastUse = now }
            let isUnused =
                mayForget && app.isUnused && now - app.lastUse >= configuration.forgetAfter
            if isUnused { apps[appID] = nil }
            return isUnused
        }
    }

    // MARK: Polling

    /// `number`: which of the polls. Ends when none of its apps is followed any more.
    func pollForEver(_ number: Int) async {
        var pace = Pace()
        while !Task.isCancelled {
            forgetUnused(number)
            if polls[number].appIDs.isEmpty {
                // Free for others.
                polls[number] = Poll()
                return
            }
            considerSwitch()
            guard let node = nodes.current else { return }
            let pause = await pollOnce(number, at: node, &pace)
            if let pause { do { try await Task.sleep(for: pause) } catch { return } }
        }
    }

    /// What keeps a client from asking too often.
    private struct Pace {
        var backoff = Backoff()
        /// Answers with news that came at once, one after the other.
        private var quickAnswers = 0

        /// After news: how long to wait.
        mutating func afterNews(in time: Duration) -> Duration? {
            backoff.reset()
            quickAnswers = time < DiscoveryClient.burstPause ? quickAnswers + 1 : 0
            return quickAnswers > DiscoveryClient.burst ? DiscoveryClient.burstPause : nil
        }

        mutating func afterHold() {
            backoff.reset()
            quickAnswers = 0
        }
    }

    /// For all polls, which share the node: after the switch interval, and sooner where a failure
    /// has driven them out of their zone.
    private func considerSwitch() {
        let now = ContinuousClock.now
        if nodes.isHome {
            homeAt = nil
        } else if homeAt == nil {
            homeAt = now + jittered(homePause)
        }
        guard now >= min(switchAt, homeAt ?? switchAt) else { return }
        nodes.switchOver()
        switchAt = now + jittered(configuration.switchInterval)
        homeAt = nil
        // Where the near ones are gone for longer they are looked for less often.
        homePause = min(homePause * 2, configuration.switchInterval)
    }

    private func jittered(_ time: Duration) -> Duration {
        time * Double.random(in: 0.9...1.1, using: &random)
    }

    /// How long to wait before the next poll; nil: not at all, because something was learned, or
    /// the node has held it.
    private func pollOnce(
        _ number: Int, at node: String, _ pace: inout Pace
    ) async -> Duration? {
        // Timestamps are a node's own: another one is asked for everything, and answers at once.
        // If it does not it is not there.
        let isNew = node != polls[number].node
        let time = isNew ? configuration.requestTimeout : configuration.pollTimeout
        let questions = polls[number].appIDs.map { appID in
            (appID: appID, latest: isNew ? 0 : apps[appID]?.latest ?? 0)
        }
        let began = ContinuousClock.now
        let api = self.api
        let poll = Task { try await api.poll(questions, at: node, within: time) }
        polls[number].task = poll
        let result = await withTaskCancellationHandler {
            await poll.result
        } onCancel: {
            poll.cancel()
        }
        polls[number].task = nil
        let taken = ContinuousClock.now - began
        do {
            let answer = try result.get()
            if case .refused(let code, let message) = answer {
                throw DiscoveryError.refused(code: code, message: message)
            }
            noteAnswer(of: node, to: number)
            if case .news(let news) = answer, take(news, askedFor: questions) {
                return pace.afterNews(in: taken)
            }
            if taken >= min(DiscoveryClient.heldAtLeast, time / 4) {
                pace.afterHold()
                return nil
            }
        } catch {
            // Given up for one with another app, or because all of it ends.
            if poll.isCancelled { return nil }
            if Self.blames(error) {
                await notePollRefused(number, at: node, error)
            } else {
                noteLoss(of: node, number, error)
            }
        }
        return pace.backoff.pause(using: &random)
    }

    /// Whether there was anything in it that this client did not have.
    private func take(
        _ news: [String: AppAnswer], askedFor questions: [(appID: String, latest: Int64)]
    ) -> Bool {
        var isNews = false
        for (appID, _) in questions {
            guard let answer = news[appID] else { continue }
            apps[appID]?.latest = answer.latestTimestamp
            // A registry that knows nothing, or nothing any more, takes nobody's list away.
            if answer.instances.isEmpty { continue }
            let snapshot = Snapshot(
                appID: appID, instances: answer.instances,
                latestTimestamp: answer.latestTimestamp, schedule: answer.schedule)
            if apps[appID]?.publish(snapshot) == true { isNews = true }
            if appID == DiscoveryClient.nodesAppID { learnNodes(snapshot) }
        }
        return isNews
    }

    /// Nodes of the own zone sooner.
    private func learnNodes(_ snapshot: Snapshot) {
        func addresses(_ isMeant: (Instance) -> Bool) -> [String] {
            snapshot.instances.filter(isMeant).flatMap { instance in
                instance.addresses.compactMap { Endpoint($0, of: instance) }
                    .filter { $0.scheme == "http" }
                    .map { String($0.url.dropFirst("http://".count)) }
            }
        }
        nodes.learn([
            addresses { $0.zone == configuration.zone },
            addresses { $0.zone != configuration.zone },
        ])
    }

    // MARK: What a node did

    private func noteAnswer(of node: String, to number: Int) {
        if polls[number].node != node {
            polls[number].node = node
            for appID in polls[number].appIDs { apps[appID]?.latest = 0 }
        }
        if nodes.current == node, nodes.isHome { homePause = DiscoveryClient.homePauseFirst }
        if isLost { logger.notice("the registry answers", metadata: ["node": "\(node)"]) }
        isLost = false
    }

    private func noteLoss(of node: String, _ number: Int, _ error: any Error) {
        let metadata: Logger.Metadata = ["node": "\(node)", "reason": "\(error)"]
        if isLost {
            logger.debug("the registry does not answer", metadata: metadata)
        } else {
            logger.warning(
                "the registry does not answer; what is known of it stays in use",
                metadata: metadata)
        }
        isLost = true
        // It may have been restarted, and know nothing any more.
        if polls[number].node == node { polls[number].node = nil }
        nodes.moveOn(from: node)
    }

    /// Whether it says that the question is wrong: too many apps, or a name that this node does not
    /// take.
    private static func blames(_ error: any Error) -> Bool {
        switch error {
        case DiscoveryError.refused(code: -400, _): true
        case let bad as BadStatus: [400, 413, 414, 431].contains(bad.status)
        default: false
        }
    }

    /// One app must not cost the others: they are asked for in halves, down to the one. Unless the
    /// node refuses whatever it is asked.
    private func notePollRefused(_ number: Int, at node: String, _ error: any Error) async {
        if polls[number].node == node { polls[number].node = nil }
        let isOnlyNodes = polls[number].appIDs == [DiscoveryClient.nodesAppID]
        guard !isOnlyNodes, await answersAtAll(node) else {
            if !Task.isCancelled { noteLoss(of: node, number, error) }
            return
        }
        polls[number].isClosed = true
        let appIDs = polls[number].appIDs
        if appIDs.count > 1 {
            let half = appIDs.count / 2
            polls[number].appIDs = Array(appIDs[..<half])
            polls.append(Poll(appIDs: Array(appIDs[half...]), isClosed: true))
            start(polls.count - 1)
        } else if let appID = appIDs.first, apps[appID]?.isRefused == false {
            logger.warning(
                "the registry refuses to be asked for an app",
                metadata: ["appid": "\(appID)", "reason": "\(error)"])
            apps[appID]?.isRefused = true
        }
    }

    /// About itself, which every client asks.
    private func answersAtAll(_ node: String) async -> Bool {
        do {
            let answer = try await api.poll(
                [(appID: DiscoveryClient.nodesAppID, latest: 0)], at: node,
                within: configuration.requestTimeout)
            if case .refused = answer { return false }
            return true
        } catch {
            return false
        }
    }
}
