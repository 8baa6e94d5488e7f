import DiscoveryCore
import Foundation

/// Reads JSON with Foundation: metadata and JSON request bodies. The only file that may.
///
/// Scalars become strings, because every client decodes metadata into strings: 10 is "10", 1.5 is
/// "1.5", true is "true", null is "". Numbers keep their digits up to the 38 that `Decimal` holds;
/// beyond, and in exponents, they become what `Decimal` or `Double` writes for them.
package enum JSONReader {
    static func metadata(
        _ text: Span<UInt8>, _ limits: WireLimits
    ) throws(Rejection) -> MetadataReader.Outcome {
        let outline = Outline(text)
        guard outline.commas < limits.metadataEntriesMax else {
            throw tooManyEntries(outline.commas + 1, limits)
        }
        let value = try decode(JSONValue.self, text, outline, "metadata")
        switch value {
        case .scalar(.null): return .null
        case .scalar(let scalar):
            throw Rejection("metadata must be a JSON object, got \(scalar.article)")
        case .array: throw Rejection("metadata must be a JSON object, got an array")
        case .object(let members): return .entries(try entries(members, limits))
        }
    }

    /// A JSON object with the names of the form, in any case; lists as arrays, metadata as a string
    /// or directly as an object.
    static func readBody(
        _ body: Span<UInt8>, into fields: inout Fields, limits: WireLimits
    ) throws(Rejection) {
        guard body.count <= limits.jsonBytesMax else {
            throw Rejection(
                "a JSON body may have at most \(limits.jsonBytesMax) bytes, got \(body.count)")
        }
        // Counted before Foundation reads them: it takes a microsecond and more for each.
        let outline = Outline(body)
        guard outline.commas < limits.pairsMax else { throw tooManyPairs(limits) }
        let document: JSONBody
        if let repaired = UTF8Repair.repaired(body) {
            document = try decode(JSONBody.self, repaired.span, outline, "the body")
        } else {
            document = try decode(JSONBody.self, body, outline, "the body")
        }
        guard let members = document.members else {
            throw Rejection("the body must be a JSON object")
        }
        let table = FieldTable()
        let start = fields.pairs.count
        for member in members {
            fields.pairCount += 1
            guard let name = table.find(anyCase: member.name) else { continue }
            try append(name, member.value, to: &fields, limits)
        }
        guard fields.pairCount <= limits.pairsMax else { throw tooManyPairs(limits) }
        fields.settle(from: start)
    }

    private static func tooManyPairs(_ limits: WireLimits) -> Rejection {
        Rejection("at most \(limits.pairsMax) parameters are allowed in a request")
    }

    private static func tooManyEntries(_ count: Int, _ limits: WireLimits) -> Rejection {
        Rejection("metadata may have at most \(limits.metadataEntriesMax) entries, got \(count)")
    }

    private static func append(
        _ name: FieldName, _ value: JSONBody.Value, to fields: inout Fields, _ limits: WireLimits
    ) throws(Rejection) {
        switch value {
        case .single(let single): try append(name, single, to: &fields, limits)
        case .list(let list):
            fields.pairCount += list.count
            for item in list { try append(name, item, to: &fields, limits) }
        }
    }

    private static func append(
        _ name: FieldName, _ value: JSONValue, to fields: inout Fields, _ limits: WireLimits
    ) throws(Rejection) {
        switch value {
        case .scalar(.text(let text)): fields.append(name, text)
        case .scalar(.null): fields.append(name, "")
        case .object(let members) where name == .metadata:
            fields.append(.metadata, metadataText(try entries(members, limits)))
        case .scalar(.object), .object:
            throw Rejection("\(name.text) must be a string, got an object")
        case .scalar(.array), .array:
            throw Rejection("\(name.text) must be a string, got an array")
        }
    }

    private static func entries(
        _ members: [JSONMember], _ limits: WireLimits
    ) throws(Rejection) -> [InstanceContent.Entry] {
        guard members.count <= limits.metadataEntriesMax else {
            throw tooManyEntries(members.count, limits)
        }
        var entries: [InstanceContent.Entry] = []
        for member in members {
            let value: String
            switch member.value {
            case .text(let text): value = text
            case .null: value = ""
            case .object, .array:
                throw Rejection(
                    "metadata must be an object of strings: "
                        + "\"\(Message.quote(member.name))\" is \(member.value.article)")
            }
            entries.append(
                InstanceContent.Entry(key: Array(member.name.utf8), value: Array(value.utf8)))
        }
        return entries
    }

    /// So that metadata sent as an object goes the same way as metadata sent as text.
    private static func metadataText(_ entries: [InstanceContent.Entry]) -> String {
        var text: [UInt8] = []
        text.append(object: entries)
        return String(decoding: text, as: UTF8.self)
    }

    /// What is read needs four levels. Foundation of Swift 6.3 traps instead of throwing on a text
    /// that ends where its own limit of 512 levels is passed (`JSONScanner.scanArray` reports a
    /// place behind the end), so deep texts do not reach it.
    private static let depthMax = 16

    /// What a text is made of, as far as it is JSON; Foundation stops where it is not.
    private struct Outline {
        private(set) var depth = 0
        /// Outside of strings: one less than the values of a flat text.
        private(set) var commas = 0
        private(set) var hasZero = false
        /// Outside of strings: one for each member of an object.
        private(set) var colons = 0

        init(_ text: Span<UInt8>) {
            var open = 0
            var isString = false
            var index = 0
            while index < text.count {
                switch text[index] {
                case UInt8(ascii: "\""): isString.toggle()
                case UInt8(ascii: "\\") where isString: index += 1
                case UInt8(ascii: ",") where !isString: commas += 1
                case UInt8(ascii: ":") where !isString: colons += 1
                case UInt8(ascii: "[") where !isString, UInt8(ascii: "{") where !isString:
                    open += 1
                    depth = max(depth, open)
                case UInt8(ascii: "]") where !isString, UInt8(ascii: "}") where !isString:
                    open -= 1
                case 0: hasZero = true
                default: break
                }
                index += 1
            }
        }
    }

    /// Whether an object in the text, of which `tree` was read, has a member twice: Foundation
    /// takes the first, Go the last.
    static func hasTwins(_ text: Span<UInt8>, _ tree: JSONTree) -> Bool {
        Outline(text).colons != tree.memberCount
    }

    /// Any value that the reader has a type for. Throws a sentence about `subject`.
    package static func decode<Value: Decodable>(
        _ type: Value.Type, _ text: Span<UInt8>, _ subject: String
    ) throws(Rejection) -> Value {
        try decode(type, text, Outline(text), subject)
    }

    private static func decode<Value: Decodable>(
        _ type: Value.Type, _ text: Span<UInt8>, _ outline: Outline, _ subject: String
    ) throws(Rejection) -> Value {
        guard outline.depth <= depthMax else {
            throw Rejection("\(subject) is nested more than \(depthMax) deep")
        }
        // Foundation takes a text with zeros for UTF-16 or UTF-32, in which quotes and brackets
        // lie elsewhere than `Outline` sees them. JSON in UTF-8 holds none.
        guard !outline.hasZero else {
            throw Rejection("\(subject) is not valid JSON: \(Message.quote(text))")
        }
        let bytes = [UInt8](capacity: text.count) { out in out.write(text) }
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw Rejection("\(subject) is not valid JSON: \(Message.quote(text))")
        }
    }
}

/// A JSON value one level deep: of what lies in it only scalars are kept. So no recursion of ours
/// follows the nesting of the input.
private enum JSONValue: Decodable {
    case scalar(JSONScalar)
    case object([JSONMember])
    case array

    init(from decoder: any Decoder) throws {
        let scalar = try JSONScalar(from: decoder)
        switch scalar {
        case .text, .null: self = .scalar(scalar)
        case .array: self = .array
        case .object:
            let container = try decoder.container(keyedBy: JSONKey.self)
            self = .object(
                try container.sortedKeys.map { key in
                    JSONMember(
                        name: key.stringValue,
                        value: try container.decode(JSONScalar.self, forKey: key))
                })
        }
    }
}

private struct JSONMember {
    var name: String
    var value: JSONScalar
}

private enum JSONScalar: Decodable {
    case text(String)
    case null
    case object
    case array

    init(from decoder: any Decoder) throws {
        let single = try decoder.singleValueContainer()
        if single.decodeNil() {
            self = .null
        } else if let text = single.attempt(String.self) {
            self = .text(text)
        } else if let flag = single.attempt(Bool.self) {
            self = .text(flag ? "true" : "false")
        } else if let number = single.attempt(Decimal.self), number.isFinite {
            self = .text(number.description)
        } else if let number = single.attempt(Double.self) {
            self = .text(number.description)
        } else {
            do {
                _ = try decoder.container(keyedBy: JSONKey.self)
                self = .object
            } catch {
                _ = try decoder.unkeyedContainer()
                self = .array
            }
        }
    }

    var article: String {
        switch self {
        case .text: "a scalar"
        case .null: "null"
        case .object: "an object"
        case .array: "an array"
        }
    }
}

/// A request body: an object of scalars, lists and metadata objects.
private struct JSONBody: Decodable {
    enum Value {
        case single(JSONValue)
        case list([JSONValue])
    }

    /// Sorted by name, because Foundation gives them in any order. Nil if it is no object.
    var members: [(name: String, value: Value)]?

    init(from decoder: any Decoder) throws {
        guard case .object = try JSONScalar(from: decoder) else { return }
        let container = try decoder.container(keyedBy: JSONKey.self)
        members = try container.sortedKeys.map { key in
            let value = try container.decode(JSONValue.self, forKey: key)
            guard case .array = value else { return (key.stringValue, .single(value)) }
            return (key.stringValue, .list(try container.decode([JSONValue].self, forKey: key)))
        }
    }
}

struct JSONKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

extension KeyedDecodingContainer<JSONKey> {
    var sortedKeys: [JSONKey] {
        allKeys.sorted { Array($0.stringValue.utf8).precedes(Array($1.stringValue.utf8)) }
    }
}

extension SingleValueDecodingContainer {
    /// Nil if the value is of another type: the only way to ask Foundation which one it is.
    func attempt<Value: Decodable>(_ type: Value.Type) -> Value? {
        do { return try decode(type) } catch { return nil }
    }
}
