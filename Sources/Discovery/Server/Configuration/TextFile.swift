import Glibc

/// Why a file could not be read.
enum TextFileError: Error, Equatable, CustomStringConvertible {
    case system(String)
    case tooLong(bytesMax: Int)
    case notUTF8

    var description: String {
        switch self {
        case .system(let reason): "\(reason)"
        case .tooLong(let bytesMax): "it is longer than \(bytesMax) bytes"
        case .notUTF8: "it is not UTF-8"
        }
    }

    /// What `errno` says.
    static var lastOfSystem: TextFileError {
        guard let reason = unsafe strerror(errno) else { return .system("error \(errno)") }
        return unsafe .system(String(cString: reason))
    }
}

/// Reads whole files.
enum TextFile {
    private static let chunkBytes = 65_536

    /// The content of a file of at most `bytesMax` bytes.
    static func read(_ path: String, bytesMax: Int) throws(TextFileError) -> String {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw .lastOfSystem }
        defer { _ = close(file) }
        return try read(descriptor: file, bytesMax: bytesMax)
    }

    /// What is left to read of an open file, which stays the caller's.
    static func read(descriptor file: Int32, bytesMax: Int) throws(TextFileError) -> String {
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: chunkBytes)
        while true {
            let count = unsafe Glibc.read(file, &chunk, chunk.count)
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                throw .lastOfSystem
            }
            content += chunk[..<count]
            guard content.count <= bytesMax else { throw .tooLong(bytesMax: bytesMax) }
        }
        guard let text = String(validating: content, as: UTF8.self) else { throw .notUTF8 }
        return text
    }
}
