/// How the body of a POST is read, by its content type.
enum BodyType: Equatable {
    /// Every type that is not named here, or none: clients send forms under all sorts of names.
    case form
    case json
    case refused(Rejection)

    static func of(_ contentType: Span<UInt8>) -> BodyType {
        // What nearly every client sends.
        if contentType.holds("application/x-www-form-urlencoded") { return .form }
        if names(contentType, "application/json") { return .json }
        if names(contentType, "multipart/form-data") {
            return .refused(
                Rejection(
                    "multipart/form-data is not read: send application/x-www-form-urlencoded"))
        }
        if names(contentType, "application/xml") || names(contentType, "text/xml") {
            return .refused(
                Rejection("XML is not read: send application/x-www-form-urlencoded or JSON"))
        }
        return .form
    }

    /// Whether it is this type, in any case and with any parameters.
    static func names(_ contentType: Span<UInt8>, _ type: String) -> Bool {
        var index = 0
        while index < contentType.count, contentType[index] == UInt8(ascii: " ") { index += 1 }
        for byte in type.utf8 {
            guard index < contentType.count, contentType[index].lowercased == byte else {
                return false
            }
            index += 1
        }
        if index == contentType.count { return true }
        return [UInt8(ascii: ";"), UInt8(ascii: " "), 0x09].contains(contentType[index])
    }
}
