internal import DiscoveryCore
internal import DiscoveryHTTP
internal import Dispatch

/// The registry's only home: a `Node` that is touched on one serial queue and nowhere else.
///
/// An actor whose executor is that queue, so the compiler checks the isolation. Nothing here
/// awaits: a turn runs to its end before the next one begins. Loops call `run` once per turn and
/// wait for it, so a reply leaves in the turn that its request came in.
actor NodeQueue {
    nonisolated private let executor: QueueExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe executor.asUnownedSerialExecutor()
    }

    private var node: Node
    private let encoder: ReplyEncoder
    /// Empty between turns; kept for its memory.
    private var effects: [Effect] = []
    private var composed = ComposedBodies()
    private var exchanges = LivingBodies()

    init(node: consuming Node, encoder: ReplyEncoder) {
        executor = QueueExecutor(label: "discovery.node")
        self.node = node
        self.encoder = encoder
    }

    /// Applies a loop's turn, leaves the replies in it and returns the node's next deadline.
    /// Any thread but the queue's own.
    nonisolated func run(_ turn: inout Turn, at now: Moment) -> Int64? {
        executor.queue.sync { assumeIsolated { $0.apply(&turn, at: now) } }
    }

    /// What `/metrics` and `/readyz` show.
    nonisolated func report(at now: Moment) -> NodeReport {
        executor.queue.sync { assumeIsolated { $0.makeReport(at: now) } }
    }

    private func apply(_ turn: inout Turn, at now: Moment) -> Int64? {
        node.step(turn.batch, at: now, effects: &effects)
        for effect in effects {
            switch effect {
            case .answer(let id, let answer):
                encoder.encode(
                    answer, to: id, in: &turn, composed: &composed, exchanges: &exchanges)
            case .call(let call): turn.calls.append(call)
            case .joined: turn.hasJoined = true
            case .note(let note): encoder.log.tell(note)
            }
        }
        effects.removeAll(keepingCapacity: true)
        composed.removeAll()
        return node.nextDeadline
    }

    private func makeReport(at now: Moment) -> NodeReport {
        NodeReport(
            statistics: node.statistics, instances: node.census,
            applications: node.applicationCount, waiters: node.waiterCount,
            tombstones: node.tombstoneCount,
            tombstonesDropped: node.tombstonesDropped, expected: node.expectedCount,
            overdue: node.overdueCount, isSelfPreserving: node.isSelfPreserving,
            isProtectedAtStart: node.isProtectedAtStart, isDraining: node.isDraining,
            isJoining: node.isJoining, isFlushed: node.isFlushed, peers: node.peerReports(at: now),
            peersRefused: node.peersRefused)
    }
}

/// A node's state in numbers, at one moment.
struct NodeReport: Sendable {
    let statistics: NodeStatistics
    let instances: Census
    let applications: Int
    let waiters: Int
    let tombstones: Int
    let tombstonesDropped: Int
    let expected: Int
    let overdue: Int
    let isSelfPreserving: Bool
    let isProtectedAtStart: Bool
    let isDraining: Bool
    /// It does not listen yet: it asks the others what they hold.
    let isJoining: Bool
    /// Every node that can be reached has been told everything.
    let isFlushed: Bool
    let peers: [PeerReport]
    let peersRefused: Int
}

private final class QueueExecutor: SerialExecutor {
    let queue: DispatchQueue

    init(label: String) { queue = DispatchQueue(label: label) }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { unsafe job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    func checkIsolated() { dispatchPrecondition(condition: .onQueue(queue)) }
}
