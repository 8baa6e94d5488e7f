import Foundation

/// A port of 127.0.0.1 that a node can be told before it runs, and again after it was killed: bound
/// here, so that nobody is given it, but not listened to, so that a node may.
final class ReservedPort {
    let number: UInt16
    private let descriptor: Int32

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        var on: Int32 = 1
        for option in [SO_REUSEADDR, SO_REUSEPORT] {
            unsafe setsockopt(descriptor, SOL_SOCKET, option, &on, 4)
        }
        number = try LoopbackSocket.bind(descriptor)
    }

    deinit { close(descriptor) }

    var address: String { "127.0.0.1:\(number)" }
}
