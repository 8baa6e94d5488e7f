/// A whole JSON text, for files that operators write: errors about them name the place.
///
/// Recursive; `JSONReader` lets no text through that is nested deep.
enum JSONTree {
    case null
    case boolean(Bool)
    case integer(Int64)
    /// A number that is no integer of 64 bits.
    case number(String)
    case text(String)
    case list([JSONTree])
    /// Sorted by name.
    case object([Member])

    struct Member {
        let name: String
        let value: JSONTree
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
    init(from decoder: any Decoder) throws {
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
