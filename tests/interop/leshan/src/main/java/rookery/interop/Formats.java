package rookery.interop;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

import org.eclipse.leshan.core.node.codec.DefaultLwM2mDecoder;
import org.eclipse.leshan.core.node.codec.DefaultLwM2mEncoder;
import org.eclipse.leshan.core.node.codec.LwM2mDecoder;
import org.eclipse.leshan.core.node.codec.LwM2mEncoder;
import org.eclipse.leshan.core.node.codec.LwM2mValueChecker;
import org.eclipse.leshan.core.request.ContentFormat;

/** The content formats a device knows. */
record Formats(Set<ContentFormat> known, boolean old) {

    /** @param list content format numbers between commas, or null for all of the library */
    static Formats parse(String list, boolean old) {
        Set<ContentFormat> known = new TreeSet<>(DefaultLwM2mEncoder.getDefaultNodeEncoders(old).keySet());
        if (list != null) {
            List<ContentFormat> wanted = Arrays.stream(list.split(",")).map(ContentFormat::fromCode).toList();
            if (!known.containsAll(wanted)) {
                throw new IllegalArgumentException("--formats takes some of " + known + ", not " + wanted);
            }
            known.retainAll(wanted);
        }
        return new Formats(known, old);
    }

    LwM2mEncoder encoder() {
        return new DefaultLwM2mEncoder(kept(DefaultLwM2mEncoder.getDefaultNodeEncoders(old)),
                kept(DefaultLwM2mEncoder.getDefaultPathEncoder()), new LwM2mValueChecker());
    }

    LwM2mDecoder decoder() {
        return new DefaultLwM2mDecoder(kept(DefaultLwM2mDecoder.getDefaultNodeDecoders(old)),
                kept(DefaultLwM2mDecoder.getDefaultPathDecoder()));
    }

    private <T> Map<ContentFormat, T> kept(Map<ContentFormat, T> all) {
        Map<ContentFormat, T> kept = new HashMap<>(all);
        kept.keySet().retainAll(known);
        return kept;
    }
}
