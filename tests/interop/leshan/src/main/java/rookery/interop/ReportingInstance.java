package rookery.interop;

import java.util.List;
import java.util.Map;
import java.util.Set;

import org.eclipse.leshan.client.resource.SimpleInstanceEnabler;
import org.eclipse.leshan.client.servers.LwM2mServer;
import org.eclipse.leshan.core.model.ObjectModel;
import org.eclipse.leshan.core.node.LwM2mMultipleResource;
import org.eclipse.leshan.core.node.LwM2mResource;
import org.eclipse.leshan.core.request.argument.Arguments;
import org.eclipse.leshan.core.response.ExecuteResponse;
import org.eclipse.leshan.core.response.ObserveResponse;
import org.eclipse.leshan.core.response.ReadResponse;
import org.eclipse.leshan.core.response.WriteResponse;

/** An object instance that has the resources it is given and tells what servers do with them. */
class ReportingInstance extends SimpleInstanceEnabler {

    private final Events events;
    private final Set<String> observed;

    ReportingInstance(Map<Integer, Object> values, Events events, Set<String> observed) {
        initialValues = values;
        this.events = events;
        this.observed = observed;
    }

    @Override
    public ReadResponse read(LwM2mServer server, int resourceId) {
        ReadResponse response = value(server, resourceId);
        if (response.isSuccess()) {
            report(server, "read", resourceId, null);
        }
        return response;
    }

    /** Asked at the start of an observation and for each of its notifications. */
    @Override
    public ObserveResponse observe(LwM2mServer server, int resourceId) {
        ReadResponse response = value(server, resourceId);
        if (response.isSuccess() && observed.add(path(resourceId))) {
            report(server, "observed", resourceId, null);
        }
        return new ObserveResponse(response.getCode(), response.getContent(), null, null, null,
                response.getErrorMessage());
    }

    @Override
    public WriteResponse write(LwM2mServer server, boolean replace, int resourceId, LwM2mResource value) {
        if (value.isMultiInstances()) {
            // The library cannot write a multiple Resource that has no value yet.
            resources.putIfAbsent(resourceId, new LwM2mMultipleResource(resourceId, value.getType(), List.of()));
        }
        WriteResponse response = super.write(server, replace, resourceId, value);
        if (response.isSuccess()) {
            report(server, "written", resourceId, Values.plain(value));
        }
        return response;
    }

    @Override
    public ExecuteResponse execute(LwM2mServer server, int resourceId, Arguments arguments) {
        report(server, "executed", resourceId, arguments.serialize());
        return ExecuteResponse.success();
    }

    @Override
    public void onDelete(LwM2mServer server) {
        events.emit("deleted", "path", "/" + getModel().id + "/" + getId());
    }

    /** The resources it has values for, and those that are executed or only written. */
    @Override
    public List<Integer> getAvailableResourceIds(ObjectModel model) {
        return model.resources.values().stream()
                .filter(resource -> resources.containsKey(resource.id) || !resource.operations.isReadable())
                .map(resource -> resource.id).sorted().toList();
    }

    /** The value now; overridden where it is not simply stored. */
    protected ReadResponse value(LwM2mServer server, int resourceId) {
        return super.read(server, resourceId);
    }

    private void report(LwM2mServer server, String event, int resourceId, Object value) {
        if (server.isSystem()) {
            return;
        }
        if (value == null) {
            events.emit(event, "path", path(resourceId));
        } else {
            events.emit(event, "path", path(resourceId), "value", value);
        }
    }

    private String path(int resourceId) {
        return getResourcePath(resourceId).toString();
    }
}
