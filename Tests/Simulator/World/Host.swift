import DiscoveryCore

/// A machine with an address, on which one process runs, or none.
final class Host {
    enum Process {
        case none
        case own(OwnNode)
        case go(GoNode)
    }

    let index: Int
    let zone: Int
    let zoneName: String
    let address: String
    let isGo: Bool
    var clock: HostClock
    var process = Process.none
    /// Counts the processes that ran here.
    var incarnation = 0
    var isListening = false
    /// The process is about to end, once it has nothing left to send.
    var isStopping = false
    var isPaused = false
    var isHalfOpen = false
    var extraDelay: Int64 = 0
    /// The revisions of the scheduler files on its disk, by application.
    var schedules: [Int: Int] = [:]
    /// What arrived while the process was paused.
    var inbox: [Event] = []
    /// When the node's next tick is in the queue.
    var tickAt: Int64?
    /// When the node asked to be called next, on its monotonic clock, and whether it was not.
    var due = Int64.max
    var hasOverslept = false
    /// Ticks in a row without time going by.
    var idleTicks = 0
    /// Calls under way: which node, and by when they end.
    var calls: [UInt64: PeerCall] = [:]
    /// Calls that the node took back: what of them has not arrived yet never does.
    var calledOff: Set<UInt64> = []

    init(index: Int, zone: Int, isGo: Bool, clock: HostClock) {
        self.index = index
        self.zone = zone
        zoneName = Host.zoneName(zone)
        address = "10.0.0.\(index):7171"
        self.isGo = isGo
        self.clock = clock
    }

    var name: String { isGo ? "g\(index)" : "n\(index)" }
    var isRunning: Bool { if case .none = process { false } else { true } }

    var own: OwnNode? {
        if case .own(let node) = process { node } else { nil }
    }

    var go: GoNode? {
        if case .go(let node) = process { node } else { nil }
    }

    /// Whether a client that asks now is answered.
    var isServing: Bool { isRunning && isListening && !isPaused && !isHalfOpen && !isStopping }

    static func zoneName(_ zone: Int) -> String { "z\(zone)" }
}

/// A node of ours, held by reference because it cannot be copied.
final class OwnNode {
    var node: Node
    let settings: NodeSettings
    let id: NodeID

    init(settings: NodeSettings, id: NodeID, seed: UInt64, now: Moment) {
        self.settings = settings
        self.id = id
        node = Node(settings: settings, id: id, seed: seed, now: now)
    }

    /// Whether everything was sent that others need to know.
    var isFlushed: Bool { node.isFlushed }
}
