extension Node {
    mutating func balance(
        _ balance: Balance, _ batch: borrowing Batch, at now: Moment
    ) -> Answer {
        let place = self.place(of: balance.app, batch)
        if protectedUntil != nil, !place.isSelf { return Node.protected }
        guard let app = place.app, registry.applications[Int(app)].instanceCount > 0 else {
            return .unknownWithData
        }
        // The view of polls: it lives until something changes, and so does what is made of it.
        let view = self.view(
            app, nil, InstanceStatus.up.mask, place.env, at: now, ageMax: .max)
        return .balanced(view, zone: Array(batch.bytes[balance.zone.range]))
    }

    /// Whoever waits for the application is told like of any other change.
    mutating func schedule(_ scheduled: Scheduled, at now: Moment) {
        let app = registry.schedule(scheduled.app, scheduled.schedule, stamp: now.wall)
        if let app { watchers.changed(app, at: now.monotonic) }
    }
}
