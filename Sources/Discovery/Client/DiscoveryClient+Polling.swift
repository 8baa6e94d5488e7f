internal import Logging

/// One poll at a time for `appsPerPoll` apps together.
extension DiscoveryClient {
    /// A node holds a poll without news; one that says much sooner than it was told that nothing
    /// has changed is not to be asked again at once.
    private static let heldAtLeast = Duration.seconds(1)

    /// `number`: which of the polls.
    func pollForEver(_ number: Int) async {
        var backoff = Backoff()
        var switchAt = ContinuousClock.now + switchPause()
        while !Task.isCancelled {
            if ContinuousClock.now >= switchAt, let node = nodes.current {
                nodes.moveOn(from: node)
                switchAt = ContinuousClock.now + switchPause()
            }
            guard let node = nodes.current else { return }
            let pause = await pollOnce(number, at: node, &backoff)
            if let pause { do { try await Task.sleep(for: pause) } catch { return } }
        }
    }

    private func switchPause() -> Duration {
        configuration.switchInterval * Double.random(in: 0.9...1.1, using: &random)
    }

    /// How long to wait before the next poll; nil: not at all, because something was learned, or
    /// the node has held it.
    private func pollOnce(
        _ number: Int, at node: String, _ backoff: inout Backoff
    ) async -> Duration? {
        let first = number * DiscoveryClient.appsPerPoll
        let range = first..<min(first + DiscoveryClient.appsPerPoll, apps.count)
        // Timestamps are a node's own: another one is asked for everything, and answers at once.
        // If it does not it is not there.
        let isNew = node != polls[number].node
        let time = isNew ? configuration.requestTimeout : configuration.pollTimeout
        if isNew {
            for index in range { apps[index].latest = 0 }
        }
        let questions = apps[range].map { (appID: $0.appID, latest: $0.latest) }
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
        do {
            switch try result.get() {
            case .news(let news):
                polls[number].node = node
                noteRecovery(of: node)
                if take(news, askedFor: questions) {
                    backoff.reset()
                    return nil
                }
            case .unchanged:
                polls[number].node = node
                noteRecovery(of: node)
                if ContinuousClock.now - began >= min(DiscoveryClient.heldAtLeast, time / 4) {
                    backoff.reset()
                    return nil
                }
            case .refused(let code, let message):
                throw DiscoveryError.refused(code: code, message: message)
            }
        } catch {
            // Given up for one with another app, or because all of it ends.
            if poll.isCancelled { return nil }
            noteLoss(of: node, error)
            polls[number].node = nil
            nodes.moveOn(from: node)
        }
        return backoff.pause(using: &random)
    }

    /// Whether there was anything in it that this client did not have.
    private func take(
        _ news: [String: AppAnswer], askedFor questions: [(appID: String, latest: Int64)]
    ) -> Bool {
        var isProgress = false
        for (appID, latest) in questions {
            guard let answer = news[appID],
                let index = apps.firstIndex(where: { $0.appID == appID })
            else { continue }
            if answer.latestTimestamp > latest { isProgress = true }
            apps[index].latest = answer.latestTimestamp
            // A registry that knows nothing, or nothing any more, takes nobody's list away.
            if answer.instances.isEmpty { continue }
            let snapshot = Snapshot(
                appID: appID, instances: answer.instances,
                latestTimestamp: answer.latestTimestamp, schedule: answer.schedule)
            apps[index].publish(snapshot)
            if appID == DiscoveryClient.nodesAppID { learnNodes(snapshot) }
        }
        return isProgress
    }

    /// Nodes of the own zone sooner: they hear of its instances first.
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

    private func noteLoss(of node: String, _ error: any Error) {
        let metadata: Logger.Metadata = ["node": "\(node)", "reason": "\(error)"]
        if isLost {
            logger.debug("the registry does not answer", metadata: metadata)
        } else {
            logger.warning(
                "the registry does not answer; what is known of it stays in use",
                metadata: metadata)
        }
        isLost = true
    }

    private func noteRecovery(of node: String) {
        if isLost { logger.notice("the registry answers", metadata: ["node": "\(node)"]) }
        isLost = false
    }
}
