/// Makes bytes valid UTF-8: each byte that belongs to no well-formed character becomes U+FFFD, one
/// per byte, as the reference counts them.
enum UTF8Repair {
    /// Nil if they are valid already.
    static func repaired(_ bytes: Span<UInt8>) -> [UInt8]? {
        guard var index = firstInvalid(in: bytes, from: 0) else { return nil }
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count + 16)
        var copied = 0
        while true {
            for place in copied..<index { out.append(bytes[place]) }
            out.append(contentsOf: [0xEF, 0xBF, 0xBD])
            copied = index + 1
            guard let next = firstInvalid(in: bytes, from: copied) else { break }
            index = next
        }
        for place in copied..<bytes.count { out.append(bytes[place]) }
        return out
    }

    static func firstInvalid(in bytes: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        while index < bytes.count {
            let length = characterLength(in: bytes, at: index)
            if length == 0 { return index }
            index += length
        }
        return nil
    }

    /// 0 if no well-formed character begins there (table 3-7 of the Unicode standard).
    private static func characterLength(in bytes: Span<UInt8>, at index: Int) -> Int {
        let lead = bytes[index]
        if lead < 0x80 { return 1 }
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch lead {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: length = 4
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: return 0
        }
        guard bytes.count - index >= length, second.contains(bytes[index + 1]) else { return 0 }
        for offset in 2..<max(2, length) where bytes[index + offset] & 0xC0 != 0x80 { return 0 }
        return length
    }
}
