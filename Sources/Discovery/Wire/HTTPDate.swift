/// Reads the value of a Date header (RFC 9110, 5.6.7) in the one form that is sent today, such as
/// `Sun, 06 Nov 1994 08:49:37 GMT`.
package enum HTTPDate {
    private static let length = 29
    private static let days = Array("ThuFriSatSunMonTueWed".utf8)
    private static let months = Array("JanFebMarAprMayJunJulAugSepOctNovDec".utf8)

    /// Nanoseconds since 1970, a whole second and so up to one too early. Nil if it is no such
    /// date, the weekday is another one, or it is out of range (1678 to 2262).
    package static func read(_ text: Span<UInt8>) -> Int64? {
        guard text.count == length, isFramed(text), let weekday = name(at: 0, text, days),
            let day = number(at: 5, 2, text), let month = name(at: 8, text, months),
            let year = number(at: 12, 4, text), let hour = number(at: 17, 2, text),
            let minute = number(at: 20, 2, text), let second = number(at: 23, 2, text)
        else { return nil }
        // A leap second is 60.
        guard day >= 1, day <= days(in: month, of: year), hour < 24, minute < 60, second <= 60
        else { return nil }
        let dayNumber = dayNumber(year, month, day)
        guard (dayNumber % 7 + 7) % 7 == weekday else { return nil }
        let seconds = Int64(dayNumber) * 86_400 + Int64(hour * 3600 + minute * 60 + second)
        let (nanoseconds, isOver) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return isOver ? nil : nanoseconds
    }

    private static func isFramed(_ text: Span<UInt8>) -> Bool {
        guard text[3] == UInt8(ascii: ","), text.extracting(25..<length).holds(" GMT")
        else { return false }
        for index in [4, 7, 11, 16] where text[index] != UInt8(ascii: " ") { return false }
        return text[19] == UInt8(ascii: ":") && text[22] == UInt8(ascii: ":")
    }

    /// Which of the names of three letters stands there.
    private static func name(at start: Int, _ text: Span<UInt8>, _ names: [UInt8]) -> Int? {
        for index in 0..<names.count / 3 {
            let place = 3 * index
            if text[start] == names[place], text[start + 1] == names[place + 1],
                text[start + 2] == names[place + 2]
            {
                return index
            }
        }
        return nil
    }

    private static func number(at start: Int, _ count: Int, _ text: Span<UInt8>) -> Int? {
        var value = 0
        for index in start..<start + count {
            let digit = text[index] &- UInt8(ascii: "0")
            if digit > 9 { return nil }
            value = 10 * value + Int(digit)
        }
        return value
    }

    private static func days(in month: Int, of year: Int) -> Int {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        switch month {
        case 1: return isLeap ? 29 : 28
        case 3, 5, 8, 10: return 30
        default: return 31
        }
    }

    /// Days since 1970 in the proleptic Gregorian calendar, counting years from March so that the
    /// leap day comes last. `month` from 0.
    private static func dayNumber(_ year: Int, _ month: Int, _ day: Int) -> Int {
        // Moved by 400 years, which are 146,097 days, so that nothing is negative.
        let marchYear = year + 400 - (month < 2 ? 1 : 0)
        let marchMonth = (month + 10) % 12
        let dayOfYear = (153 * marchMonth + 2) / 5 + day - 1
        let leapDays = marchYear / 4 - marchYear / 100 + marchYear / 400
        return 365 * marchYear + leapDays + dayOfYear - 719_468 - 146_097
    }
}
