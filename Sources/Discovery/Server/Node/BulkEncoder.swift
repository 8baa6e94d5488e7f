internal import DiscoveryCore
internal import DiscoveryHTTP
internal import DiscoveryWire
internal import Dispatch
internal import Synchronization

/// Encodes `fetch/all` away from the node's queue: it may be hundreds of megabytes, and renewals
/// must not wait for it.
///
/// One answer at a time; askers of the same view share its bytes. Of different views, at most
/// `bodiesMax` are alive, in the making or on the way to slow readers; more are answered -503.
final class BulkEncoder: Sendable {
    private struct Living {
        weak var body: SharedBody?
    }

    private struct State {
        var view: RegistryView?
        var body: SharedBody?
        var living: [Living] = []
        var waiting = 0
    }

    private let queue = DispatchQueue(label: "discovery.bulk", qos: .utility)
    private let state = Mutex(State())
    /// Where replies go.
    private let handles: LoopHandles
    private let heads: ReplyHeads

    /// A view is shared for a second; nobody asks for these bytes after that.
    private static let keep = DispatchTimeInterval.seconds(3)
    static let bodiesMax = 4
    /// Askers whose answer is not made yet.
    static let waitingMax = 1_000

    init(handles: LoopHandles, heads: ReplyHeads) {
        self.handles = handles
        self.heads = heads
    }

    /// Any thread. The reply leaves through the ticket's loop.
    func reply(to ticket: Ticket, with view: RegistryView) {
        let isTaken = state.withLock { state in
            if state.waiting >= BulkEncoder.waitingMax { return false }
            state.waiting += 1
            return true
        }
        if !isTaken { return post(ticket, BulkEncoder.refusal(), .overloaded) }
        queue.async { [self] in
            state.withLock { $0.waiting -= 1 }
            if let body = body(of: view) {
                post(ticket, body, .ok)
            } else {
                post(ticket, BulkEncoder.refusal(), .overloaded)
            }
        }
    }

    private func post(_ ticket: Ticket, _ body: SharedBody, _ code: ReplyCode) {
        let reply = AddressedReply(ticket: ticket, head: heads[code], body: body)
        handles.all[ticket.loop].post([reply])
    }

    private static func refusal() -> SharedBody {
        var bytes: [UInt8] = []
        let answer = Answer.refused(.overloaded, "too many answers of fetch/all are under way")
        AnswerWriter.append(answer, to: &bytes)
        return SharedBody(bytes)
    }

    /// Nil if too many others are alive.
    private func body(of view: RegistryView) -> SharedBody? {
        let (known, isRoom) = state.withLock { state in
            state.living.removeAll { $0.body == nil }
            return (
                state.view === view ? state.body : nil,
                state.living.count < BulkEncoder.bodiesMax
            )
        }
        if let known { return known }
        guard isRoom else { return nil }
        var bytes: [UInt8] = []
        // What an instance takes, so that the array rarely has to move.
        bytes.reserveCapacity(view.rows.count * 400 + 64)
        var writer = RegistryWriter(view)
        while !writer.append(to: &bytes) {}
        let body = SharedBody(bytes)
        state.withLock { state in
            state.view = view
            state.body = body
            state.living.append(Living(body: body))
        }
        queue.asyncAfter(deadline: .now() + BulkEncoder.keep) { [self] in
            state.withLock { state in
                guard state.view === view else { return }
                state.view = nil
                state.body = nil
            }
        }
        return body
    }
}
