extension Node {
    /// Answers at once, or parks the poll and returns nil. Looking and parking are one step, so no
    /// change can fall between them.
    mutating func poll(
        _ id: RequestID, _ poll: Poll, _ batch: borrowing Batch, at now: Moment,
        _ effects: inout [Effect]
    ) -> Answer? {
        if isDraining { return Node.stopping }
        var targets: [Target] = []
        targets.reserveCapacity(poll.count)
        var env: [UInt8]?
        for index in poll.first..<poll.first + poll.count {
            let target = batch.pollTargets[index]
            let place = self.place(of: target.app, batch)
            if protectedUntil != nil, !place.isSelf { return Node.protected }
            if let placeEnv = place.env { env = placeEnv }
            targets.append(
                Target(
                    key: target.app, app: place.app, isSelf: place.isSelf, latest: target.latest))
        }
        let zone = self.zone(poll.zone, batch, isSelf: false)
        if let answer = answerNow(poll, targets, zone, env, batch, at: now) {
            statistics.answeredAtOnce += 1
            return answer
        }
        if watchers.count >= settings.waitersMax {
            return refuse("waiters_max", settings.waitersMax, at: now, &effects)
        }
        if watchers.subscriptionCount + targets.count > settings.subscriptionsMax {
            return refuse("subscriptions_max", settings.subscriptionsMax, at: now, &effects)
        }
        let made = targets.count { $0.app == nil }
        let waitedFor = registry.applicationCount - registry.populatedCount
        if made > 0, waitedFor + made > settings.appsMax {
            return refuse("apps_max", settings.appsMax, at: now, &effects)
        }
        park(id, poll, targets, zone, env, batch, at: now)
        return nil
    }

    /// One application of a poll while it is looked at.
    struct Target {
        var key: ByteRange
        /// Nil: neither instances nor pollers.
        var app: UInt32?
        var isSelf: Bool
        var latest: Int64

        /// A client has to find the nodes whatever zone it names.
        func zone(_ zone: [UInt8]?) -> [UInt8]? { isSelf ? nil : zone }
    }

    static var stopping: Answer { .refused(.overloaded, "this node is about to stop") }

    private mutating func answerNow(
        _ poll: Poll, _ targets: [Target], _ zone: [UInt8]?, _ env: [UInt8]?,
        _ batch: borrowing Batch, at now: Moment
    ) -> Answer? {
        if poll.isSingle, let target = targets.first {
            let exists =
                target.app.map { registry.applications[Int($0)].instanceCount > 0 } ?? false
            if !exists {
                return .pollUnknown(
                    AppKey(packed: Array(batch.bytes[target.key.range])))
            }
        }
        var hasNews = false
        for target in targets {
            if let app = target.app, isNews(app, since: target.latest, target.zone(zone)) {
                hasNews = true
            }
        }
        guard hasNews else { return nil }
        var views: [AppView] = []
        var missing: [AppKey] = []
        for target in targets {
            let zone = target.zone(zone)
            guard let app = target.app, registry.applications[Int(app)].isPresent(in: zone) else {
                missing.append(AppKey(packed: Array(batch.bytes[target.key.range])))
                continue
            }
            guard poll.wantsAll || isNews(app, since: target.latest, zone) else { continue }
            views.append(pollView(app, zone, target.isSelf ? env : nil, at: now))
            // What does not fit is news still when the client asks again.
            if !isWithinAnswer(views) { views.removeLast() }
        }
        return poll.isSingle ? .polled(views[0]) : .polledMany(views, missing: missing)
    }

    /// Whether an arriving poll has something to be told. An empty list never is: clients would not
    /// take note of it and ask again at once.
    private func isNews(_ app: UInt32, since latest: Int64, _ zone: [UInt8]?) -> Bool {
        let application = registry.applications[Int(app)]
        return application.changed(in: zone) > latest
            && application.count(in: zone, InstanceStatus.up.mask) > 0
    }

    private mutating func pollView(
        _ app: UInt32, _ zone: [UInt8]?, _ env: [UInt8]?, at now: Moment
    ) -> AppView {
        view(app, zone, InstanceStatus.up.mask, env, at: now, ageMax: .max)
    }

    private mutating func park(
        _ id: RequestID, _ poll: Poll, _ targets: [Target], _ zone: [UInt8]?, _ env: [UInt8]?,
        _ batch: borrowing Batch, at now: Moment
    ) {
        var subscriptions: [(app: UInt32, latest: Int64, seen: Int64, had: Bool)] = []
        subscriptions.reserveCapacity(targets.count)
        for target in targets {
            let key =
                target.isSelf ? selfAppKey.packed : Array(batch.bytes[target.key.range])
            let app = registry.ensureApplication(key.span)
            if subscriptions.contains(where: { $0.app == app }) { continue }
            let application = registry.applications[Int(app)]
            let zone = target.zone(zone)
            subscriptions.append(
                (
                    app, target.latest, application.changed(in: zone),
                    application.count(in: zone, InstanceStatus.up.mask) > 0
                ))
        }
        let hold = max(0, min(poll.hold, settings.pollHold))
        let waiter = Watchers.Waiter(
            request: id, zone: zone, env: env, isSingle: poll.isSingle, wantsAll: poll.wantsAll,
            deadline: now.monotonic.addingSaturated(hold), first: Watchers.none)
        watchers.park(waiter, targets: subscriptions, at: now.monotonic)
    }

    // MARK: Leaving

    mutating func clientLeft(_ id: RequestID) {
        guard let waiter = watchers.waiter(of: id) else { return }
        statistics.wokenByHangUp += 1
        release(waiter)
    }

    mutating func expire(_ waiter: UInt32, at now: Moment, _ effects: inout [Effect]) {
        // A change may be waiting to be told together with others, or behind them.
        if tell(waiter, at: now, &effects) { return }
        statistics.wokenByTimeout += 1
        let request = watchers.waiter(at: waiter).request
        // Only the present timestamp is known to go with the present content. Another one may be of
        // another node, or of an earlier life of this one, and whoever has it would go on missing
        // changes.
        let answer = answer(to: waiter, at: now) { application, zone, subscription in
            subscription.latest != application.latest
                && application.count(in: zone, InstanceStatus.up.mask) > 0
        }
        effects.append(.answer(request, answer ?? .notModified))
        release(waiter)
    }

    mutating func drain(_ effects: inout [Effect]) {
        isDraining = true
        while let waiter = watchers.popAny() {
            statistics.wokenByDrain += 1
            effects.append(.answer(watchers.waiter(at: waiter).request, Node.stopping))
            release(waiter)
        }
    }

    /// Forgets a waiter, and the applications that existed for it only.
    private mutating func release(_ waiter: UInt32) {
        let subscriptions = watchers.subscriptions(of: waiter)
        watchers.remove(waiter)
        for subscription in subscriptions { tidy(subscription.app) }
    }

    // MARK: Waking

    /// Tells waiters what changed, at most `wakesPerStepMax` of them; the rest in the next step.
    mutating func wake(at now: Moment, _ effects: inout [Effect]) {
        var budget = settings.wakesPerStepMax
        while budget > 0, let app = watchers.dueApplication(at: now.monotonic) {
            while budget > 0 {
                guard let subscription = watchers.nextToWake(app, at: now.monotonic) else {
                    watchers.finishWake(app, at: now.monotonic)
                    tidy(app)
                    break
                }
                budget -= 1
                // Asked first: a waiter may have hundreds of applications, and no news of this.
                if isNews(subscription) { _ = tell(subscription.waiter, at: now, &effects) }
            }
        }
    }

    /// Answers the waiter if there is news for it; whether there was.
    private mutating func tell(
        _ waiter: UInt32, at now: Moment, _ effects: inout [Effect]
    ) -> Bool {
        let request = watchers.waiter(at: waiter).request
        let answer = answer(to: waiter, at: now, isNews: Node.isNews)
        guard let answer else { return false }
        statistics.wokenByChange += 1
        effects.append(.answer(request, answer))
        release(waiter)
        return true
    }

    private func isNews(_ subscription: Watchers.Subscription) -> Bool {
        let zone =
            subscription.app == selfApp ? nil : watchers.waiter(at: subscription.waiter).zone
        return Node.isNews(registry.applications[Int(subscription.app)], zone, subscription)
    }

    private static func isNews(
        _ application: borrowing Application, _ zone: [UInt8]?,
        _ subscription: Watchers.Subscription
    ) -> Bool {
        application.changed(in: zone) > subscription.seen
            && (subscription.hadInstances
                || application.count(in: zone, InstanceStatus.up.mask) > 0)
    }

    /// The answer to a waiter if any of its applications `isNews`, else nil.
    private mutating func answer(
        to waiter: UInt32, at now: Moment,
        isNews: (borrowing Application, [UInt8]?, Watchers.Subscription) -> Bool
    ) -> Answer? {
        let selfApp = self.selfApp
        let details = watchers.waiter(at: waiter)
        let subscriptions = watchers.subscriptions(of: waiter)
        var news: [Bool] = []
        for subscription in subscriptions {
            let zone = subscription.app == selfApp ? nil : details.zone
            news.append(isNews(registry.applications[Int(subscription.app)], zone, subscription))
        }
        guard news.contains(true) else { return nil }
        var views: [AppView] = []
        var missing: [AppKey] = []
        for (subscription, isNews) in zip(subscriptions, news) {
            let isSelf = subscription.app == selfApp
            let zone = isSelf ? nil : details.zone
            let isPresent = registry.applications[Int(subscription.app)].isPresent(in: zone)
            if isNews || (details.wantsAll && isPresent) {
                views.append(
                    pollView(subscription.app, zone, isSelf ? details.env : nil, at: now))
                if !isWithinAnswer(views) { views.removeLast() }
            } else if !isPresent {
                missing.append(registry.applications[Int(subscription.app)].key)
            }
        }
        return details.isSingle ? .polled(views[0]) : .polledMany(views, missing: missing)
    }
}
