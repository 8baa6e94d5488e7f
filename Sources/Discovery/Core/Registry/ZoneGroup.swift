/// The instances of one application in one zone.
///
/// Members are kept in the order of their host names, but lazily: newcomers go to the end and
/// leavers leave holes, and the order is made good when somebody reads. So a write costs the same
/// in an application of ten and of ten thousand instances.
struct ZoneGroup {
    static let hole = UInt32.max

    let name: [UInt8]
    /// The application's `latest_timestamp` when this zone changed last.
    var latest: Int64
    /// Slots of the registry, or `hole`.
    private(set) var members: [UInt32] = []
    /// `members[..<ordered]` is in order.
    private var ordered = 0
    private var holes = 0
    /// Members by status; reads that would hold nothing are told without looking at the members.
    var upCount = 0
    var waitingCount = 0

    init(name: [UInt8], latest: Int64) {
        self.name = name
        self.latest = latest
    }

    var count: Int { members.count - holes }

    func count(of statuses: UInt8) -> Int {
        (statuses & InstanceStatus.up.mask != 0 ? upCount : 0)
            + (statuses & InstanceStatus.waiting.mask != 0 ? waitingCount : 0)
    }

    mutating func count(_ status: InstanceStatus, by difference: Int) {
        switch status {
        case .up: upCount += difference
        case .waiting: waitingCount += difference
        }
    }

    /// Returns the position to give back to `remove`.
    mutating func append(_ slot: UInt32) -> UInt32 {
        members.append(slot)
        return UInt32(members.count - 1)
    }

    mutating func remove(at position: UInt32) {
        members[Int(position)] = ZoneGroup.hole
        holes += 1
        while members.last == ZoneGroup.hole {
            members.removeLast()
            holes -= 1
        }
        ordered = min(ordered, members.count)
    }

    /// Whether most of it is holes: without a reader nobody else would close them.
    var isMostlyHoles: Bool { holes > 64 && holes * 2 > members.count }

    var needsOrdering: Bool { holes > 0 || ordered < members.count }

    /// Closes the holes and sorts the newcomers in; the caller then has to update the positions.
    mutating func order(by precedes: (UInt32, UInt32) -> Bool) {
        guard needsOrdering else { return }
        let old = members[..<ordered].filter { $0 != ZoneGroup.hole }
        let new = members[ordered...].filter { $0 != ZoneGroup.hole }.sorted(by: precedes)
        members.removeAll(keepingCapacity: true)
        var (left, right) = (old.startIndex, new.startIndex)
        while left < old.endIndex && right < new.endIndex {
            if precedes(new[right], old[left]) {
                members.append(new[right])
                right += 1
            } else {
                members.append(old[left])
                left += 1
            }
        }
        members.append(contentsOf: old[left...])
        members.append(contentsOf: new[right...])
        ordered = members.count
        holes = 0
    }
}
