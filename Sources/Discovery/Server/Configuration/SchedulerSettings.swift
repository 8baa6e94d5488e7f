/// Where the schedules of zones come from, and how clients are shown them. The `[scheduler]` table.
struct SchedulerSettings: Sendable, Equatable {
    /// The folder of the scheduler files; empty: none. As written, from where the node was started.
    var folder = ""
    /// The reference's server writes an object, its own Go SDK reads an array: each kind of client
    /// throws away the answers made for the other.
    var shape = Shape.object

    enum Shape: String, Sendable, CaseIterable {
        case object, array
    }

    init() {}

    init(reading reader: inout SettingReader) {
        folder = reader.path("scheduler.folder")
        shape = reader.choice("scheduler.shape", default: shape)
    }
}
