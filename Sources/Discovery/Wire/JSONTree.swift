/// A whole JSON text: for files that operators write, where errors name the place, and for commands
/// that print what a node has answered.
///
/// Recursive; `JSONReader` lets no text through that is nested deep.
package indirect enum JSONTree: Equatable, Sendable {
    case null
    case boolean(Bool)
    case integer(Int64)
    /// A number that is no integer of 64 bits.
    case number(String)
    case text(String)
    case list([JSONTree])
    /// Sorted by name.
    case object([Member])

    package struct Member: Equatable, Sendable {
        package let name: String
        package let value: JSONTree

        package init(name: String, value: JSONTree) {
            self.name = name
            self.value = value
        }
    }

    /// Throws a sentence about `subject`.
    package static func read(
        _ text: Span<UInt8>, _ subject: String
    ) throws(Rejection) -> JSONTree { try JSONReader.decode(JSONTree.self, text, subject) }

    // MARK: Looking into it

    /// The member of that name; null if it has none, or is no object.
    package subscript(name: String) -> JSONTree {
        members.first { $0.name == name }?.value ?? .null
    }

    /// Sorted by name; empty if it is no object.
    package var members: [Member] {
        if case .object(let members) = self { members } else { [] }
    }

    /// Of all objects in it.
    var memberCount: Int {
        switch self {
        case .list(let items): items.reduce(0) { $0 + $1.memberCount }
        case .object(let members): members.reduce(0) { $0 + 1 + $1.value.memberCount }
        case .null, .boolean, .integer, .number, .text: 0
        }
    }

    /// Empty if it is no list.
    package var items: [JSONTree] {
        if case .list(let items) = self { items } else { [] }
    }

    /// Empty if it is no text.
    package var text: String {
        if case .text(let text) = self { text } else { "" }
    }

    /// 0 if it is no integer.
    package var integer: Int64 {
        if case .integer(let integer) = self { integer } else { 0 }
    }

    // MARK: Writing it

    /// On one line, members by name.
    package var json: String {
        var out: [UInt8] = []
        append(to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    private func append(to out: inout [UInt8]) {
        switch self {
        case .null: out.append("null")
        case .boolean(let flag): out.append(flag ? "true" : "false")
        case .integer(let integer): out.append(number: integer)
        case .number(let number): out.append(number)
        case .text(let text): out.append(quoted: text.utf8.span)
        case .list(let items):
            out.append("[")
            for (index, item) in items.enumerated() {
                if index > 0 { out.append(",") }
                item.append(to: &out)
            }
            out.append("]")
        case .object(let members):
            out.append("{")
            for (index, member) in members.enumerated() {
                if index > 0 { out.append(",") }
                out.append(quoted: member.name.utf8.span)
                out.append(":")
                member.value.append(to: &out)
            }
            out.append("}")
        }
    }

    /// What it is, in the words of an error.
    var found: String {
        switch self {
        case .null: "null"
        case .boolean(let flag): "\(flag)"
        case .integer(let integer): "\(integer)"
        case .number(let number): number
        case .text(let text): JSONTree.quoted(text)
        case .list: "a list"
        case .object: "an object"
        }
    }

    static func quoted(_ text: String) -> String {
        text.isEmpty ? "\"\"" : "\"\(Message.quote(text))\""
    }
}

extension JSONTree: Decodable {
    package init(from decoder: any Decoder) throws {
        let single = try decoder.singleValueContainer()
        if single.decodeNil() {
            self = .null
        } else if let text = single.attempt(String.self) {
            self = .text(text)
        } else if let flag = single.attempt(Bool.self) {
            self = .boolean(flag)
        } else if let integer = single.attempt(Int64.self) {
            self = .integer(integer)
        } else if let number = single.attempt(Double.self) {
            self = .number("\(number)")
        } else if let list = single.attempt([JSONTree].self) {
            self = .list(list)
        } else {
            let container = try decoder.container(keyedBy: JSONKey.self)
            self = .object(
                try container.sortedKeys.map { key in
                    Member(
                        name: key.stringValue,
                        value: try container.decode(JSONTree.self, forKey: key))
                })
        }
    }
}
