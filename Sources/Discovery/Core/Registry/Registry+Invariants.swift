extension Registry {
    /// Recounts. For tests and debug builds.
    func checkInvariants() {
        var instances = 0
        for (app, application) in applications.enumerated() {
            var count = 0
            for group in application.zones {
                for (position, slot) in group.members.enumerated() where slot != ZoneGroup.hole {
                    let record = records[Int(slot)]
                    precondition(record.instance != nil, "a member's slot is vacant")
                    precondition(record.app == app, "a member belongs to another application")
                    precondition(record.position == position, "a member's position is wrong")
                    count += 1
                }
            }
            precondition(count == application.instanceCount, "an application is miscounted")
            instances += count
        }
        precondition(instances == instanceCount, "instances miscounted")
        precondition(
            applications.count { $0.instanceCount > 0 } == populatedCount,
            "populated applications miscounted")
        let counted = census.counts.values.reduce(0) { $0 + $1.up + $1.waiting }
        precondition(counted == instanceCount, "the census is wrong")
        var root: UInt64 = 0
        for record in records { root ^= record.instance?.digest ?? 0 }
        precondition(root == digest.root, "the digest of the instances is wrong")
        var contents = applications.map(\.content)
        for app in applications.indices { contents[app] ^= applications[app].schedule?.digest ?? 0 }
        for record in records { contents[Int(record.app)] ^= record.instance?.digest ?? 0 }
        precondition(contents.allSatisfy { $0 == 0 }, "the content of an application is wrong")
        root = 0
        for application in applications where application.instanceCount > 0 {
            root ^= application.digest
        }
        precondition(root == appDigest.root, "the digest of the applications is wrong")
        let presences = applications.reduce(0) { $0 + $1.zones.count { $0.count > 0 } }
        precondition(
            census.counts.values.reduce(0) { $0 + $1.apps } == presences,
            "the census of applications is wrong")
    }
}
