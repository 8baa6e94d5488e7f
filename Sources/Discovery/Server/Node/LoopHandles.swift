internal import DiscoveryHTTP
internal import Synchronization

/// The loops' handles, for whoever is made before they are.
final class LoopHandles: Sendable {
    private let handles: Mutex<[LoopHandle]> = Mutex([])

    var all: [LoopHandle] { handles.withLock { $0 } }
    func set(_ handles: [LoopHandle]) { self.handles.withLock { $0 = handles } }
}
