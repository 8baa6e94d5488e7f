internal import DiscoveryCore
internal import DiscoveryHTTP
internal import DiscoveryWire
internal import Dispatch
internal import Synchronization

/// Encodes `fetch/all` away from the node's queue: it may be hundreds of megabytes, and renewals
/// must not wait for it.
///
/// One answer at a time; askers of the same view share its bytes, which go when the next view is
/// asked for or nobody has asked for a while.
final class BulkEncoder: Sendable {
    private struct State {
        var view: RegistryView?
        var body: SharedBody?
    }

    private let queue = DispatchQueue(label: "discovery.bulk", qos: .utility)
    private let state = Mutex(State())
    private let handles: Mutex<[LoopHandle]> = Mutex([])

    /// A view is shared for a second; nobody asks for these bytes after that.
    private static let keep = DispatchTimeInterval.seconds(3)

    /// Where replies go. Once, before the first request.
    func connect(_ handles: [LoopHandle]) { self.handles.withLock { $0 = handles } }

    /// Any thread. The reply leaves through the ticket's loop.
    func reply(to ticket: Ticket, with view: RegistryView) {
        queue.async { [self] in
            let body = body(of: view)
            let handle = handles.withLock { $0[ticket.loop] }
            handle.post([AddressedReply(ticket: ticket, head: ReplyCode.ok.head, body: body)])
        }
    }

    private func body(of view: RegistryView) -> SharedBody {
        let known = state.withLock { $0.view === view ? $0.body : nil }
        if let known { return known }
        var bytes: [UInt8] = []
        // What an instance takes, so that the array rarely has to move.
        bytes.reserveCapacity(view.rows.count * 400 + 64)
        var writer = RegistryWriter(view)
        while !writer.append(to: &bytes) {}
        let body = SharedBody(bytes)
        state.withLock { $0 = State(view: view, body: body) }
        queue.asyncAfter(deadline: .now() + BulkEncoder.keep) { [self] in
            state.withLock { if $0.view === view { $0 = State() } }
        }
        return body
    }
}
