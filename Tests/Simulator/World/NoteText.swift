import DiscoveryCore

/// A node's note, for the trace.
struct NoteText {
    var what: String
    var key: InstanceKey?
    var details: () -> String
    /// Whether the registry is another one now.
    var isChange: Bool { key != nil }

    static func of(_ note: Note) -> NoteText {
        switch note {
        case .added(let instance):
            NoteText(what: "added", key: instance.key) { " \(Trace.version(instance.dirty))" }
        case .replaced(let instance):
            NoteText(what: "replaced", key: instance.key) { " \(Trace.version(instance.dirty))" }
        case .removed(let key): NoteText(what: "removed", key: key) { "" }
        case .evicted(let key, let silence):
            NoteText(what: "evicted", key: key) { " silent for \(Trace.text(silence)) s" }
        default: NoteText(what: "note", key: nil) { "\(note)" }
        }
    }
}
