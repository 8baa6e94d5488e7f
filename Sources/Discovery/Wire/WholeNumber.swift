/// Decimal numbers as Go parses them: an optional sign and digits. None at all counts as 0.
enum WholeNumber: Equatable {
    case value(Int64)
    case malformed
    case outOfRange

    static func read(_ text: Span<UInt8>) -> WholeNumber {
        if text.isEmpty { return .value(0) }
        let isNegative = text[0] == UInt8(ascii: "-")
        var index = isNegative || text[0] == UInt8(ascii: "+") ? 1 : 0
        if index == text.count { return .malformed }
        // Counted down from zero, because Int64.min has no positive twin.
        var value: Int64 = 0
        var isInRange = true
        while index < text.count {
            let digit = text[index] &- UInt8(ascii: "0")
            if digit > 9 { return .malformed }
            let (product, isOver) = value.multipliedReportingOverflow(by: 10)
            let (sum, isUnder) = product.subtractingReportingOverflow(Int64(digit))
            if isOver || isUnder { isInRange = false }
            value = sum
            index &+= 1
        }
        if !isInRange || (!isNegative && value == .min) { return .outOfRange }
        return .value(isNegative ? value : -value)
    }
}
