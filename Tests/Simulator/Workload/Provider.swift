import DiscoveryCore

/// A registered program: it registers, renews, changes, and leaves in one way or another.
struct Provider {
    enum State {
        case absent
        /// It wants to be registered: it renews, and registers again if it is told to.
        case alive
        /// It said good-bye.
        case cancelled
        /// It fell silent.
        case dead
    }

    enum Operation { case register, renew, set, cancel }

    let index: Int
    let app: Int
    let key: InstanceKey
    /// Whom it asks; at first a node of its zone.
    var host: Int
    var random: SplitMix64
    var state = State.absent
    /// What it is waiting for an answer to.
    var operation: Operation?
    /// False while it waits before it tries the operation again.
    var isWaiting = false
    /// Answers and timers of an earlier operation carry a smaller number.
    var serial = 0
    var revision = 0
    var status = InstanceStatus.up
    /// When it decides anew whether to change something.
    var nextChange: Int64 = 0
    /// When a renewal or register of it was answered with 0.
    var lastRenewal: Int64 = 0
    var failures = 0
}
