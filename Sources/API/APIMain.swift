import ArgumentParser
import Hummingbird
import JWTKit

@main
enum APIMain {
    static func main() {}
}
