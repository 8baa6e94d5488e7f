/// Writes the value of a Date header (RFC 9110, 5.6.7), such as `Sun, 06 Nov 1994 08:49:37 GMT`.
enum DateText {
    /// Bytes of the text, without a terminator.
    static let count = 29

    private static let days = Array("ThuFriSatSunMonTueWed".utf8)
    private static let months = Array("JanFebMarAprMayJunJulAugSepOctNovDec".utf8)

    /// `seconds` since 1970 in UTC, not negative.
    static func bytes(_ seconds: Int64) -> [UInt8] {
        let second = max(0, seconds)
        let dayNumber = second / 86_400
        let date = civil(dayNumber)
        let clock = second % 86_400
        var text: [UInt8] = []
        text.reserveCapacity(count)
        let weekday = Int(dayNumber % 7) * 3
        text += days[weekday..<weekday + 3]
        text += [0x2C, 0x20] + digits(date.day, 2) + [0x20]
        text += months[(date.month - 1) * 3..<date.month * 3]
        text += [0x20] + digits(date.year, 4) + [0x20]
        text += digits(Int(clock / 3600), 2) + [0x3A] + digits(Int(clock / 60 % 60), 2) + [0x3A]
        text += digits(Int(clock % 60), 2) + Array(" GMT".utf8)
        return text
    }

    private static func digits(_ number: Int, _ width: Int) -> [UInt8] {
        var rest = number
        var text = [UInt8](repeating: 0x30, count: width)
        for position in (0..<width).reversed() {
            text[position] = 0x30 + UInt8(rest % 10)
            rest /= 10
        }
        return text
    }

    /// Days since 1970 to a date of the proleptic Gregorian calendar, counting years from March so
    /// that the leap day comes last.
    private static func civil(_ dayNumber: Int64) -> (year: Int, month: Int, day: Int) {
        let shifted = Int(dayNumber) + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
    }
}
