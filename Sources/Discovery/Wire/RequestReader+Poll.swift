import DiscoveryCore

/// poll and polls: env and appid are required. A zone narrows the answer; hostname is not needed
/// (the reference wants it, and confuses two polls that share one).
extension RequestReader {
    func poll(_ header: Span<UInt8>?, _ batch: inout Batch) throws(Rejection) -> Poll {
        let env = try fields.required(.env, limits)
        let appid = try fields.required(.appid, limits)
        let zone = try fields.optional(.zone, limits)
        let latest = try fields.number(.latest)
        let first = batch.pollTargets.count
        batch.pollTargets.append(PollTarget(app: pack([env, appid], to: &batch), latest: latest))
        return Poll(
            first: first, count: 1, zone: copy(zone, to: &batch), hold: hold(header),
            isSingle: true)
    }

    mutating func polls(_ header: Span<UInt8>?, _ batch: inout Batch) throws(Rejection) -> Poll {
        let env = try fields.required(.env, limits)
        let zone = try fields.optional(.zone, limits)
        let valueCount = try readApps()
        let appCount = items.count
        let first = batch.pollTargets.count
        emptyDuplicates()
        // The timestamps go through `items` too, so the applications are placed first. The empty
        // ones keep their place until each has its timestamp.
        for item in items {
            let app = item.isEmpty ? .empty : pack([env, item], to: &batch)
            batch.pollTargets.append(PollTarget(app: app, latest: 0))
        }
        try readTimestamps(appCount, first, &batch)
        return Poll(
            first: first, count: batch.pollTargets.count - first, zone: copy(zone, to: &batch),
            hold: hold(header), wantsAll: valueCount == 1 && appCount > 1)
    }

    /// One per application, counted without the empty ones, as the reference counts.
    private mutating func readTimestamps(
        _ appCount: Int, _ first: Int, _ batch: inout Batch
    ) throws(Rejection) {
        try fields.list(.latest, into: &items, countMax: limits.appsMax)
        guard items.count == appCount else {
            throw Rejection(
                "latest_timestamp must be given once per appid: got \(items.count) for \(appCount)")
        }
        var place = first
        for (offset, item) in items.enumerated() {
            let latest = try fields.number(.latest, at: item)
            let app = batch.pollTargets[first + offset].app
            if app.isEmpty { continue }
            batch.pollTargets[place] = PollTarget(app: app, latest: latest)
            place += 1
        }
        batch.pollTargets.removeLast(batch.pollTargets.count - place)
    }

    /// The time a client gives in `x1-bmspy-timeout`, milliseconds, ends the poll 20 ms earlier, as
    /// in the reference; it never holds one for longer. What is no number above zero is not looked
    /// at.
    private func hold(_ header: Span<UInt8>?) -> Int64 {
        guard let header, case .value(let given) = WholeNumber.read(header), given > 0 else {
            return settings.pollHold
        }
        let milliseconds = given >= 20 ? given - 20 : given
        if milliseconds >= settings.pollHold / Duration.millisecond { return settings.pollHold }
        return milliseconds * Duration.millisecond
    }
}
