/// One question per kind of value; each notes the answer as the value in effect.
extension SettingReader {
    mutating func integer(
        _ key: String, default standard: Int, in range: ClosedRange<Int>,
        because reason: String = ""
    ) -> Int {
        let allowed = Rule.range(range) + (reason.isEmpty ? "" : " (\(reason))")
        let value = ask(key, default: standard, allowed: allowed) { value in
            guard case .integer(let number) = value, range.contains(number) else { return nil }
            return number
        }
        note(key, "\(value)")
        return value
    }

    mutating func boolean(_ key: String, default standard: Bool) -> Bool {
        let value = ask(key, default: standard, allowed: Rule.boolean) { value in
            guard case .boolean(let flag) = value else { return nil }
            return flag
        }
        note(key, "\(value)")
        return value
    }

    /// A duration: `"40s"`, or a bare zero.
    mutating func milliseconds(
        _ key: String, default standard: Int, in range: ClosedRange<Int>
    ) -> Int {
        let allowed =
            "\(Rule.duration), from \(DurationText.text(milliseconds: range.lowerBound)) to "
            + DurationText.text(milliseconds: range.upperBound)
        let value = ask(key, default: standard, allowed: allowed) { value in
            guard case .string(let text) = value,
                let milliseconds = DurationText.milliseconds(text), range.contains(milliseconds)
            else { return nil }
            return milliseconds
        }
        note(key, "\"\(DurationText.text(milliseconds: value))\"")
        return value
    }

    mutating func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: String, default standard: Choice
    ) -> Choice where Choice.RawValue == String {
        let allowed = Rule.choice(Choice.allCases.map(\.rawValue))
        let value = ask(key, default: standard, allowed: allowed) { value in
            guard case .string(let text) = value else { return nil }
            return Choice(rawValue: text.lowercased())
        }
        note(key, "\"\(value.rawValue)\"")
        return value
    }

    /// A place on disk, or "" for none.
    mutating func path(_ key: String) -> String {
        let value = ask(key, default: "", allowed: Rule.path) { value in
            guard case .string(let text) = value, !text.utf8.contains(0) else { return nil }
            return text
        }
        note(key, SettingValue.quoted(value))
        return value
    }

    /// A name of a zone, an environment or a host; an empty one is as good as none.
    mutating func name(_ key: String, default standard: String) -> String {
        let value = ask(key, default: standard, allowed: Rule.name) { value in
            guard case .string(let text) = value, Self.isName(text) else { return nil }
            return text.isEmpty ? standard : text
        }
        note(key, "\"\(value)\"")
        return value
    }

    /// A name that must not be empty in the end.
    mutating func requiredName(
        _ key: String, default standard: String = "", elsewhere: String
    ) -> String {
        let problemsBefore = problems.count
        let value = name(key, default: standard)
        if value.isEmpty, problems.count == problemsBefore {
            reject(key, found: "nothing", allowed: "\(Rule.name); \(elsewhere) sets it too")
        }
        return value
    }

    mutating func endpoint(_ key: String, default standard: Endpoint) -> Endpoint {
        guard let value = endpointIfPresent(key) else {
            note(key, "\"\(standard)\"")
            return standard
        }
        return value
    }

    mutating func endpointIfPresent(_ key: String) -> Endpoint? {
        let value = ask(key, default: Endpoint?.none, allowed: Rule.address) { value in
            guard case .string(let text) = value, let endpoint = Endpoint(text) else { return nil }
            return .some(endpoint)
        }
        if let value { note(key, "\"\(value)\"") }
        return value
    }

    /// An address, or "" for none.
    mutating func optionalEndpoint(_ key: String, default standard: Endpoint?) -> Endpoint? {
        let allowed = "\(Rule.address), or \"\" for none"
        let value = ask(key, default: standard, allowed: allowed) { value in
            guard case .string(let text) = value else { return nil }
            if text.isEmpty { return .some(nil) }
            return Endpoint(text).map { .some($0) }
        }
        note(key, value.map { "\"\($0)\"" } ?? "\"\"")
        return value
    }

    mutating func endpoints(_ key: String, countMax: Int) -> [Endpoint] {
        let allowed = "\(Rule.addresses), \(Rule.count(countMax, of: "of them"))"
        let value = ask(key, default: [], allowed: allowed) { value in
            Self.endpoints(value, countMax: countMax)
        }
        note(key, Self.text(value))
        return value
    }

    /// A list of IP addresses and ranges of them. Each that is wrong is a problem of its own: the
    /// list may be long.
    mutating func addressRanges(_ key: String, countMax: Int) -> [AddressRange] {
        let allowed = "\(Rule.addressRanges), \(Rule.count(countMax, of: "of them"))"
        let items = ask(key, default: [SettingValue](), allowed: allowed) {
            value -> [SettingValue]? in
            guard case .list(let items) = value, items.count <= countMax else { return nil }
            return items
        }
        var ranges: [AddressRange] = []
        for item in items {
            guard case .string(let text) = item, let range = AddressRange(text) else {
                reject(key, found: item.description, allowed: allowed)
                continue
            }
            if !ranges.contains(range) { ranges.append(range) }
        }
        note(key, "[" + ranges.map { "\"\($0)\"" }.joined(separator: ", ") + "]")
        return ranges
    }

    /// A text that fits into a header and is never shown, not even where it is wrong; `shown`
    /// stands for it, and is refused in its place: somebody has copied what was printed.
    mutating func secret(_ key: String, bytesMax: Int, shown: String) -> String {
        let allowed =
            "a text of at most \(bytesMax) visible ASCII characters, other than \"\(shown)\""
        let value = ask(key, default: SettingValue.string(""), allowed: allowed) { $0 }
        guard case .string(let text) = value, text != shown, text.utf8.count <= bytesMax,
            text.utf8.allSatisfy({ $0 > UInt8(ascii: " ") && $0 < 0x7f })
        else {
            reject(key, found: "something else, which is not shown", allowed: allowed)
            note(key, "\"\"")
            return ""
        }
        note(key, text.isEmpty ? "\"\"" : "\"\(shown)\"")
        return text
    }

    static func isName(_ text: String) -> Bool {
        text.utf8.count <= NodeIdentity.nameBytesMax
            && text.utf8.allSatisfy { $0 > UInt8(ascii: " ") && $0 != 0x7f }
    }

    static func endpoints(_ value: SettingValue, countMax: Int) -> [Endpoint]? {
        guard case .list(let items) = value, items.count <= countMax else { return nil }
        var endpoints: [Endpoint] = []
        for item in items {
            guard case .string(let text) = item, let endpoint = Endpoint(text),
                !endpoint.isWildcard, endpoint.port != 0
            else { return nil }
            if !endpoints.contains(endpoint) { endpoints.append(endpoint) }
        }
        return endpoints
    }

    static func text(_ endpoints: [Endpoint]) -> String {
        "[" + endpoints.map { "\"\($0)\"" }.joined(separator: ", ") + "]"
    }
}
