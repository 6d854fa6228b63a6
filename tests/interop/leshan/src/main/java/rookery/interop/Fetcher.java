package rookery.interop;

/** Fetches what a URI names. */
@FunctionalInterface
interface Fetcher {

    byte[] fetch(String uri) throws Exception;
}
