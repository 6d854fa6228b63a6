package rookery.interop;

import java.time.Instant;
import java.util.Base64;
import java.util.Date;
import java.util.Map;
import java.util.stream.Collectors;

import org.eclipse.leshan.core.model.ResourceModel;
import org.eclipse.leshan.core.model.ResourceModel.Type;
import org.eclipse.leshan.core.node.LwM2mMultipleResource;
import org.eclipse.leshan.core.node.LwM2mPath;
import org.eclipse.leshan.core.node.LwM2mResource;
import org.eclipse.leshan.core.node.LwM2mSingleResource;
import org.eclipse.leshan.core.node.ObjectLink;
import org.eclipse.leshan.core.util.datatype.ULong;

/** Values as the command line writes them. */
final class Values {

    private Values() {
    }

    /** The resource, or for a path that names a resource instance the multiple resource with that one instance. */
    static LwM2mResource resource(ResourceModel model, LwM2mPath path, String text) {
        Object value = typed(model.type, text);
        if (path.isResourceInstance()) {
            return LwM2mMultipleResource.newResource(model.id, Map.of(path.getResourceInstanceId(), value),
                    model.type);
        }
        return LwM2mSingleResource.newResource(model.id, value, model.type);
    }

    /** What JSON can show. */
    static Object plain(LwM2mResource resource) {
        if (resource.isMultiInstances()) {
            return resource.getInstances().values().stream()
                    .collect(Collectors.toMap(instance -> instance.getId(), instance -> plain(instance.getValue())));
        }
        return plain(resource.getValue());
    }

    private static Object plain(Object value) {
        if (value instanceof byte[] bytes) {
            return Base64.getEncoder().encodeToString(bytes);
        }
        if (value instanceof Date date) {
            return date.toInstant().toString();
        }
        return value instanceof Number || value instanceof Boolean ? value : String.valueOf(value);
    }

    private static Object typed(Type type, String text) {
        return switch (type) {
        case INTEGER -> Long.parseLong(text);
        case UNSIGNED_INTEGER -> ULong.valueOf(text);
        case FLOAT -> Double.parseDouble(text);
        case BOOLEAN -> Boolean.parseBoolean(text);
        case TIME -> Date.from(Instant.parse(text));
        case OPAQUE -> Base64.getDecoder().decode(text);
        case OBJLNK -> ObjectLink.decodeFromString(text);
        default -> text;
        };
    }
}
