/// Small searches in bytes: the tool reads heads, JSON and metrics without a parser of either.
extension [UInt8] {
    /// Where `needle` begins, at `start` or later.
    func firstPosition(of needle: String, from start: Int = 0) -> Int? {
        let wanted = Array(needle.utf8)
        guard let first = wanted.first, count >= wanted.count else { return nil }
        var position = start
        while position + wanted.count <= count {
            if self[position] == first,
                self[position..<(position + wanted.count)].elementsEqual(wanted)
            {
                return position
            }
            position += 1
        }
        return nil
    }

    /// Where `needle` begins for the last time.
    func lastPosition(of needle: String) -> Int? {
        var last: Int?
        var start = 0
        while let position = firstPosition(of: needle, from: start) {
            last = position
            start = position + 1
        }
        return last
    }

    /// How often `needle` occurs.
    func occurrences(of needle: String) -> Int {
        var found = 0
        var start = 0
        while let position = firstPosition(of: needle, from: start) {
            found += 1
            start = position + needle.utf8.count
        }
        return found
    }

    /// The decimal number at `position`, if it is complete: something follows that is no digit.
    func number(at position: Int) -> Int? {
        var value = 0
        var digits = 0
        for byte in self[Swift.min(position, count)...] {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else {
                return digits > 0 ? value : nil
            }
            let (product, tooLarge) = value.multipliedReportingOverflow(by: 10)
            guard !tooLarge, product <= Int.max - 9 else { return nil }
            value = product + Int(byte - UInt8(ascii: "0"))
            digits += 1
        }
        return nil
    }

    /// The number right after `marker`.
    func number(after marker: String) -> Int? {
        firstPosition(of: marker).flatMap { number(at: $0 + marker.utf8.count) }
    }
}
