extension Node {
    mutating func fetch(_ fetch: Fetch, _ batch: borrowing Batch, at now: Moment) -> Answer {
        let place = self.place(of: fetch.app, batch)
        if protectedUntil != nil, !place.isSelf { return Node.protected }
        guard let app = place.app, registry.applications[Int(app)].instanceCount > 0 else {
            return .unknownWithData
        }
        let zone = self.zone(fetch.zone, batch, isSelf: place.isSelf)
        guard registry.applications[Int(app)].isPresent(in: zone) else {
            return .zoneUnknown(latest: registry.applications[Int(app)].latest)
        }
        return .fetched(
            view(app, zone, fetch.statuses, place.env, at: now, ageMax: settings.fetchAge))
    }

    mutating func fetchMany(
        _ fetch: FetchMany, _ batch: borrowing Batch, at now: Moment
    ) -> Answer {
        var views: [AppView] = []
        for index in fetch.first..<fetch.first + fetch.count {
            let place = self.place(of: batch.pollTargets[index].app, batch)
            if protectedUntil != nil, !place.isSelf { return Node.protected }
            let zone = self.zone(fetch.zone, batch, isSelf: place.isSelf)
            guard let app = place.app, registry.applications[Int(app)].isPresent(in: zone) else {
                continue
            }
            views.append(
                view(app, zone, fetch.statuses, place.env, at: now, ageMax: settings.fetchAge))
            if !isWithinAnswer(views) {
                return .refused(
                    .invalid,
                    "these applications have more than \(settings.answerInstancesMax) instances: "
                        + "ask for fewer at once")
            }
        }
        return .fetchedMany(views)
    }

    /// Whether an answer of these views is of a size that others need not wait for.
    func isWithinAnswer(_ views: [AppView]) -> Bool {
        views.count < 2
            || views.reduce(0) { $0 + $1.instanceCount } <= settings.answerInstancesMax
    }

    mutating func fetchAll(at now: Moment) -> Answer {
        if protectedUntil != nil { return Node.protected }
        if let all = allView, now.monotonic - all.made <= settings.fetchAge {
            return .fetchedAll(all.view)
        }
        let view = registry.viewAll()
        allView = (view, now.monotonic)
        return .fetchedAll(view)
    }

    /// When to let go of the view of everything, because it is too old for whoever asks next.
    var allViewDue: Int64? { allView.map { $0.made + 2 * settings.fetchAge } }

    static var protected: Answer {
        .refused(
            .protected, "this node started a moment ago and does not know all instances yet")
    }

    /// Where an application key leads. `infra.discovery` leads to this node's own in every env.
    struct Place {
        var app: UInt32?
        var isSelf: Bool
        /// The env to show instead of the node's own.
        var env: [UInt8]?
    }

    /// `infra.discovery` in this node's env, if it has instances or pollers.
    var selfApp: UInt32? {
        let key = selfAppKey.packed
        return registry.findApplication(key.span)
    }

    func place(of range: ByteRange, _ batch: borrowing Batch) -> Place {
        let key = batch.bytes.span.extracting(range.range)
        let appid = key.extracting(PackedKey.field(1, of: key).range)
        if !Node.selfAppID.holdsSame(as: appid) {
            return Place(app: registry.findApplication(key), isSelf: false)
        }
        let env = key.extracting(PackedKey.field(0, of: key).range)
        let isOwn = selfAppKey.packed.holdsSame(as: key)
        return Place(
            app: selfApp, isSelf: true,
            env: isOwn ? nil : env.copied)
    }

    /// The zone asked for; nil for all. A client has to find the nodes whatever zone it names.
    func zone(_ range: ByteRange, _ batch: borrowing Batch, isSelf: Bool) -> [UInt8]? {
        isSelf || range.isEmpty ? nil : Array(batch.bytes[range.range])
    }

    mutating func view(
        _ app: UInt32, _ zone: [UInt8]?, _ statuses: UInt8, _ env: [UInt8]?, at now: Moment,
        ageMax: Int64
    ) -> AppView {
        let view = registry.view(
            app, zone: zone, statuses: statuses, env: env, at: now.monotonic, ageMax: ageMax)
        if registry.startAging(app) {
            aging.append(
                AgingView(app: app, due: now.monotonic.addingSaturated(Node.viewAgeMax)))
        }
        return view
    }

    /// Views are as large as their application; those that nobody asked for lately go.
    mutating func age(_ app: UInt32, at now: Int64) {
        registry.dropViews(app, madeBefore: now - Node.viewAgeMax)
        if !registry.applications[Int(app)].views.isEmpty, registry.startAging(app) {
            aging.append(AgingView(app: app, due: now.addingSaturated(Node.viewAgeMax)))
        }
    }
}
