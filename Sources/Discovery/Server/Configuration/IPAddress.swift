internal import Glibc

/// An IP address. IPv4 and IPv6 are apart, but an IPv6 address that stands for an IPv4 one,
/// `::ffff:10.0.0.1`, is that: a socket for both families names its IPv4 clients so.
struct IPAddress: Sendable, Equatable, CustomStringConvertible {
    /// The low `width` bits count, the first of the address on top.
    let bits: UInt128
    /// 32 or 128.
    let width: Int

    /// Reads a literal; the link that an IPv6 address may name behind a `%` is not looked at.
    init?(_ text: String) {
        let literal = String(text.prefix { $0 != "%" })
        // inet_pton takes a C string and would stop there.
        if literal.utf8.contains(0) { return nil }
        var four = in_addr()
        if unsafe inet_pton(AF_INET, literal, &four) == 1 {
            (bits, width) = (UInt128(UInt32(bigEndian: four.s_addr)), 32)
            return
        }
        var six = in6_addr()
        guard unsafe inet_pton(AF_INET6, literal, &six) == 1 else { return nil }
        let all = unsafe withUnsafeBytes(of: &six) { bytes in
            unsafe bytes.reduce(UInt128.zero) { $0 << 8 | UInt128($1) }
        }
        (bits, width) = all >> 32 == 0xFFFF ? (all & 0xFFFF_FFFF, 32) : (all, 128)
    }

    /// The shortest literal.
    var description: String {
        var bytes = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let size = socklen_t(bytes.count)
        if width == 32 {
            var four = in_addr(s_addr: UInt32(truncatingIfNeeded: bits).bigEndian)
            _ = unsafe inet_ntop(AF_INET, &four, &bytes, size)
        } else {
            var six = bits.bigEndian
            _ = unsafe inet_ntop(AF_INET6, &six, &bytes, size)
        }
        let text = bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return String(decoding: text, as: UTF8.self)
    }
}
